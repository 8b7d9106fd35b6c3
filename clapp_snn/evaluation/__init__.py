"""Read-outs of a trained encoder: probes, embeddings, preferred patches, fine-tuning."""
