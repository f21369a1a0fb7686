"""What ``kernel-mgmt doctor`` looks at: the installation, and kernels one by one."""

from __future__ import annotations
