"""What can the speaker see? Cameras, one picture at a time.

A camera is open only while a picture is taken, so its own light tells the truth. Whatever it gives
is decoded, turned upright, made small and written anew (`picture`), so nothing leaves the speaker
that a picture carries along, such as where it was taken. Pillow and linuxpy are loaded when the
first picture is wanted: a speaker without a camera does not pay for them.
"""
