"""Canonical JSON: sorted keys, no blanks, printable ASCII, integers only (coordination.md section 2)."""

from __future__ import annotations

import json

canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode
