"""What a model is told of looking, and of what it sees."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from device.errors import CameraError
from device.ports import PICTURE, Picture
from device.tools.camera import TOO_DARK, functions
from device.tools.registry import Registry
from tests.rig.jpeg_headers import picture


class Eye:
    """Sees what the test gives it."""

    def __init__(self, sees: Picture | CameraError) -> None:
        self.sees = sees

    async def look(self) -> Picture:
        if isinstance(self.sees, CameraError):
            raise self.sees
        return self.sees


async def looked(sees: Picture | CameraError, **arguments: Any) -> Mapping[str, Any]:
    return await Registry(functions(Eye(sees))).run("look", arguments)


async def test_the_picture_stands_beside_a_short_answer() -> None:
    """With its size, and the question it was taken for."""
    seen = picture(768, 432)
    answer = await looked(seen, question="what is this?")
    assert answer[PICTURE] is seen
    assert answer["output"]["pixels"] == "768 x 432"
    assert answer["output"]["question"] == "what is this?"
    assert "dark" not in answer["output"]
    assert "question" not in (await looked(seen))["output"]


async def test_what_is_too_dark_is_said() -> None:
    """It goes up all the same: the model may see more than we do."""
    answer = await looked(picture(dark=True))
    assert answer["output"]["dark"] == TOO_DARK
    assert PICTURE in answer


async def test_what_keeps_a_picture_from_being_taken_is_told_to_the_model() -> None:
    """In the camera's words, and without a picture."""
    answer = await looked(CameraError("USB camera 'HD' is busy: end the other program"))
    assert answer == {"error": "USB camera 'HD' is busy: end the other program"}


@pytest.mark.parametrize("arguments", [{"question": 5}, {"question": "a" * 301}, {"where": "left"}])
async def test_a_wrong_call_is_told_what_is_wrong(arguments: dict[str, Any]) -> None:
    """And no picture is taken."""
    answer = await looked(picture(), **arguments)
    assert "was not called right" in answer["error"]
    assert PICTURE not in answer


def test_it_is_declared_as_what_comes_with_a_picture() -> None:
    """It blocks the model, which must not speak before it has seen."""
    registry = Registry(functions(Eye(picture())))
    (declared,) = registry.declared
    assert (declared.name, declared.shows, declared.slow) == ("look", True, False)
    assert list(registry.abilities) == [declared.ability]
    assert declared.parameters["properties"]["question"]["type"] == "string"
    assert "required" not in declared.parameters
