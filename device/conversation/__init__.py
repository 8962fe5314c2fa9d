"""What follows from what happens? One pure function, its states and its effects.

`machine.step` is the specification; its match leaves three families to `ringing`, `hold_to_talk`
and `unheard`, and `limit` decides before it where nothing more may be spent. `moves` are what its
lines are made of, `personas` whose talk it is, `states` where the conversation can stand, `effects`
what it asks of the hub. What happens are the news that the parts post (`device.news`).
"""
