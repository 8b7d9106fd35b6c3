"""The neurons of this package in the calling styles of snnTorch and norse."""
