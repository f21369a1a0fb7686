"""The line console: what ``kernel-mgmt console`` is made of.

Only ``_prompt`` and what it imports need prompt_toolkit, which takes longer to load than all the rest.
"""

from __future__ import annotations
