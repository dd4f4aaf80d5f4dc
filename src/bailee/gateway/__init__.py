"""The data plane: authenticates, authorises, records and makes calls, and nothing else."""
