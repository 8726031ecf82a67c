"""Songs: what there is, what to play for a mood, what was played, and where to find more.

What pages call:

    from moodmesh.songs.catalogue import Filters, LANGUAGES, load
    from moodmesh.songs.recommend import MODES, default_mode, introduction, recommend
    from moodmesh.pages.player import as_item, player

    catalogue = load()                                  # once a process; 60 ms
    queue = recommend(catalogue, valence, arousal, mode, 10,
                      filters=Filters(languages=("hi",)), expression="happy")
    state = player([as_item(r) for r in queue], lead="You look happy", accent="#F2B705")
    for event in state.events: ...                      # PlayerEvent, each exactly once
"""
