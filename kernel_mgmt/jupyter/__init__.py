"""The bridge to Jupyter's programs, which use our kernels without a change to them.

It is the only part that imports jupyter_client, and needs the extra ``kernel-mgmt[jupyter]`` where it
does.
"""

from __future__ import annotations
