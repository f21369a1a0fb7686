"""What ``kernel-mgmt bench`` measures, and how it is told."""

from __future__ import annotations
