"""Members as files, for somebody else."""
