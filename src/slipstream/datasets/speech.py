"""Speech: the ten digits in five languages, one voice each, from Debian's sounds of Asterisk."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from slipstream.data.folders.sounds import fitted, read_wav
from slipstream.datasets.base import Dataset, Entry, cache_folder

SYSTEM = Path("/usr/share/asterisk/sounds")
_VOICES = (
    "en_US_f_Allison", "es_MX_f_Allison", "fr_CA_f_June", "it_IT_m_Carlo", "ru_RU_f_IvrvoiceRU",
)  # fmt: skip
_RATE = 8000


def _read(entry: Entry, folder: Path) -> Dataset:
    sounds = []
    for file in entry.files:
        sound, rate = read_wav(folder / file)
        if rate != _RATE or sound.shape[1] != 1:
            raise ValueError(f"{file} has {sound.shape[1]} channels at {rate} Hz, not 1 at {_RATE}")
        sounds.append(sound)
    longest = max(map(len, sounds))
    return Dataset(
        name=entry.name,
        title=entry.title,
        x=np.stack([fitted(sound, longest)[:, 0] for sound in sounds]),
        y=np.tile(np.arange(10, dtype=np.int32), len(_VOICES)),
        classes=tuple(map(str, range(10))),
        features=None,
        source=entry.source,
        licence=entry.licence,
    )


ENTRIES = [
    Entry(
        name="spoken_digits",
        title="50 spoken digits: 0 to 9 in English, Spanish, French, Italian and Russian, 8 kHz",
        source="Asterisk core sounds (Allison Smith, June Wallack, Carlo Flora, IvrvoiceRU)",
        licence="CC BY-SA 3.0",
        files=tuple(f"{voice}/digits/{digit}.wav" for voice in _VOICES for digit in range(10)),
        places=lambda: [SYSTEM, cache_folder() / SYSTEM.relative_to("/")],
        command=(
            "mkdir -p {cache} && cd {cache} && for l in en es fr it ru; do "
            "apt-get download asterisk-core-sounds-$l-wav && "
            "dpkg -x asterisk-core-sounds-$l-wav_*.deb .; done"
        ),
        read=_read,
    )
]
