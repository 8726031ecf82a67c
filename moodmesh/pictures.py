"""Pictures and videos from files and uploads, as RGB arrays.

Every file may come from a stranger: its size in bytes and in pixels is checked before anything
is decoded.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from moodmesh.errors import UserError

MOST_BYTES = 20 * 2**20
# The largest phone cameras make 50 megapixels; decoded that is 150 MB.
MOST_PIXELS = 50_000_000
# Pillow also knows formats whose decoders start other programs (EPS) or that nobody has photos in.
FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF")
PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})


def decode(data: bytes, name: str = "The picture") -> np.ndarray:
    """The picture in these bytes, upright, as uint8 (height, width, 3) RGB.

    name: how an error names it. Raises UserError where it is no picture, or too large.
    """
    if len(data) > MOST_BYTES:
        raise UserError(
            f"{name} has {len(data) / 2**20:.0f} MB; {MOST_BYTES // 2**20} MB at most. "
            "Choose a smaller one."
        )
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise UserError(
                    f"{name} has {picture.width}x{picture.height} pixels, more than "
                    f"{MOST_PIXELS // 1_000_000} million. Choose a smaller one."
                )
            upright = ImageOps.exif_transpose(picture)
            return np.asarray(upright.convert("RGB"))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise UserError(
            f"{name} is not a picture that can be read. JPEG, PNG and WebP work."
        ) from None


def read(path: Path) -> np.ndarray:
    """The picture in this file as uint8 (height, width, 3) RGB; UserError where there is none."""
    try:
        if path.stat().st_size > MOST_BYTES:
            raise UserError(
                f"{path} is larger than {MOST_BYTES // 2**20} MB. Choose a smaller picture."
            )
        data = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"{path} cannot be opened ({error.strerror}). Check the name and try again."
        ) from None
    return decode(data, str(path))


def video_frames(path: Path) -> Iterator[tuple[int, np.ndarray]]:
    """The video's frames as (time in ms, uint8 (height, width, 3) RGB), one after the other.

    Raises UserError where the file is missing, is no video, has no picture, or breaks off before
    its first one; a video that breaks off later simply ends there.
    """
    if not path.is_file():
        raise UserError(f"There is no file {path}. Check the name and try again.")
    frames = 0
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise UserError(f"{path} has no video in it. Choose another file.")
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            rate = float(stream.average_rate or 30)
            for frame in container.decode(stream):
                seconds = frame.time if frame.time is not None else frames / rate
                yield round(seconds * 1000), frame.to_ndarray(format="rgb24")
                frames += 1
    except av.FFmpegError as error:
        if not frames:
            raise UserError(
                f"{path} is not a video that can be read ({error.strerror}). Choose another file, "
                "for example an MP4."
            ) from None
    if not frames:
        raise UserError(f"{path} has no pictures in it. Choose another video.")
