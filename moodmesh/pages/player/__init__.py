"""The music player in the page."""

from moodmesh.pages.player.player import Player, PlayerEvent, as_item, player

__all__ = ["Player", "PlayerEvent", "as_item", "player"]
