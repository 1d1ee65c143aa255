"""Style networks as torch modules, and nothing else."""
