"""Other people's records as recordings of ours: tau-bench's trajectories, tables, helpdesks' exports."""
