"""Speed of kernel_mgmt beside its peers: ``python -m benchmarks --help``."""
