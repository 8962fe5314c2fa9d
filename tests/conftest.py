"""The fixtures that the tests of several rooms share."""

from __future__ import annotations

pytest_plugins = ("tests.rig.board_fixtures", "tests.rig.sound_fixtures")
