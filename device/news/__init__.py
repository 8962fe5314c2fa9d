"""News is what happens to a speaker, each kind as a frozen value.

Every part that speaks up by itself is given a ``post`` function when it starts. ``post`` takes one
of the news of this folder, whose files are the parts that report them. It must be called on the
event loop's thread; a part with a thread of its own uses ``threads.tell(loop, post, news)``. Times
are CLOCK_MONOTONIC seconds of the moment the thing happened.

Tested in tests/test_events.py.
"""

from __future__ import annotations

from collections.abc import Callable

from device.news.board import BoardNews, ButtonEdge, MuteSwitched, PartLost, Plugged, Pressed
from device.news.failure import Failure, FailureKind
from device.news.moments import (
    Debt,
    HabitsChanged,
    Moment,
    PersonasChanged,
    SessionAged,
    SettingsChanged,
    StillWaiting,
    TimedOut,
)
from device.news.records import RecordsTrouble
from device.news.session import (
    AudioDropped,
    AudioRepeated,
    ContextFailed,
    GenerationComplete,
    GoAway,
    HandleChanged,
    Interrupted,
    ModelReplaced,
    PictureSent,
    Reconnecting,
    ReplyAudio,
    SessionClosed,
    SessionFailed,
    SessionNews,
    SessionOpened,
    SettingRefused,
    Stalled,
    ToolNews,
    Transcript,
    TurnComplete,
    Unheard,
    UplinkChanged,
    Usage,
)
from device.news.sound import (
    BargedIn,
    DuplexDecided,
    FellSilent,
    FirstSound,
    MicrophoneDelivers,
    MicrophoneLost,
    MicrophoneNews,
    MicrophoneOpened,
    PlaybackDrained,
    PlaybackNews,
    PlaybackStarved,
    SpeakerLost,
    SpeakerNews,
    SpeakerOpened,
    TalkedOver,
)
from device.news.spending import SpendingLimit
from device.news.timers import TimerNews
from device.news.wake import (
    Detection,
    KeepWakes,
    NearMiss,
    SpeechChanged,
    SpeechJudged,
    StopWord,
    WakeClip,
    WakeNews,
)
from device.news.wishes import (
    Ask,
    Enclosed,
    Hold,
    Leaving,
    Mute,
    MuteToggled,
    Release,
    Stop,
    Tap,
    Unmute,
    VolumeStepped,
    Wish,
)

__all__ = [
    "Ask",
    "AudioDropped",
    "AudioRepeated",
    "BargedIn",
    "BoardNews",
    "ButtonEdge",
    "ContextFailed",
    "Debt",
    "Detection",
    "DuplexDecided",
    "Enclosed",
    "Failure",
    "FailureKind",
    "FellSilent",
    "FirstSound",
    "GenerationComplete",
    "GoAway",
    "HabitsChanged",
    "HandleChanged",
    "Hold",
    "Interrupted",
    "KeepWakes",
    "Leaving",
    "MicrophoneDelivers",
    "MicrophoneLost",
    "MicrophoneNews",
    "MicrophoneOpened",
    "ModelReplaced",
    "Moment",
    "Mute",
    "MuteSwitched",
    "MuteToggled",
    "NearMiss",
    "News",
    "PartLost",
    "PersonasChanged",
    "PictureSent",
    "PlaybackDrained",
    "PlaybackNews",
    "PlaybackStarved",
    "Plugged",
    "Post",
    "Pressed",
    "Reconnecting",
    "RecordsTrouble",
    "Release",
    "ReplyAudio",
    "SessionAged",
    "SessionClosed",
    "SessionFailed",
    "SessionNews",
    "SessionOpened",
    "SettingRefused",
    "SettingsChanged",
    "SpeakerLost",
    "SpeakerNews",
    "SpeakerOpened",
    "SpeechChanged",
    "SpeechJudged",
    "SpendingLimit",
    "Stalled",
    "StillWaiting",
    "Stop",
    "StopWord",
    "TalkedOver",
    "Tap",
    "TimedOut",
    "TimerNews",
    "ToolNews",
    "Transcript",
    "TurnComplete",
    "Unheard",
    "Unmute",
    "UplinkChanged",
    "Usage",
    "VolumeStepped",
    "WakeClip",
    "WakeNews",
    "Wish",
]

News = (
    WakeNews
    | MicrophoneNews
    | SpeakerNews
    | SessionNews
    | BoardNews
    | TimerNews
    | RecordsTrouble
    | SpendingLimit
    | Wish
    | Moment
)
Post = Callable[[News], None]
