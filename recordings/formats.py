"""What people and players ask for: WAV and MP3 made from FLAC. Blocking: call it in a thread. The only pydub import."""

import warnings
import wave
from typing import BinaryIO, Literal

import imageio_ffmpeg
from soundfile import SoundFile

from recordings.encryption import intact

Format = Literal["flac", "wav", "mp3"]
CONTENT_TYPES: dict[str, str] = {"flac": "audio/flac", "wav": "audio/wav", "mp3": "audio/mpeg"}
BLOCK_FRAMES = 65_536
MP3_BITRATE = "48k"


def to_wav(flac: BinaryIO, target: BinaryIO) -> None:
    """16-bit PCM, block by block."""
    with intact(flac), SoundFile(flac) as source, wave.open(target, "wb") as writer:
        writer.setnchannels(source.channels)
        writer.setsampwidth(2)
        writer.setframerate(source.samplerate)
        writer.setnframes(source.frames)
        for block in source.blocks(blocksize=BLOCK_FRAMES, dtype="int16", always_2d=True):
            writer.writeframesraw(block.astype("<i2", copy=False).tobytes())


def to_mp3(flac: BinaryIO, target: BinaryIO) -> None:
    """MP3 for people. The samples are in memory meanwhile (an hour of two channels: some 250 MB), so one at a time.

    pydub hands ffmpeg a temporary file, readable by this user alone and gone when the MP3 is made.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydub looks for an ffmpeg in the PATH while it is imported; it gets one below
        from pydub import AudioSegment
    AudioSegment.converter = imageio_ffmpeg.get_ffmpeg_exe()
    with intact(flac), SoundFile(flac) as source:
        pcm = source.read(dtype="int16", always_2d=True).astype("<i2", copy=False).tobytes()
        segment = AudioSegment(data=pcm, sample_width=2, frame_rate=source.samplerate, channels=source.channels)
    del pcm
    segment.export(target, format="mp3", bitrate=MP3_BITRATE)
