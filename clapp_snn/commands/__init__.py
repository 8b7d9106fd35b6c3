"""The commands behind `clapp-snn`, one file each: they join the rooms and hold no logic of their own."""
