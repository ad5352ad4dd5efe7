"""Memberships that follow what happens within seconds: who was touched, whose events left a window, who moved."""

from segments.following.keeper import follow
from segments.following.tick import FollowResult

__all__ = ["FollowResult", "follow"]
