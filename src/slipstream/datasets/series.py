"""Series: measurements in the order of time."""

from __future__ import annotations

import csv
import datetime
from pathlib import Path

import numpy as np

from slipstream.datasets.base import Dataset, Entry, package_folder

_FILE = "seattle-weather.csv"
_MEASURED = ("precipitation", "temp_max", "temp_min", "wind")
_CLASSES = ("drizzle", "fog", "rain", "snow", "sun")


def _read_weather(entry: Entry, folder: Path) -> Dataset:
    with open(folder / _FILE, encoding="ascii", newline="") as file:
        rows = list(csv.DictReader(file))
    numbers = {name: number for number, name in enumerate(_CLASSES)}
    try:
        days = [datetime.date.fromisoformat(row["date"].replace("/", "-")) for row in rows]
        measured = [[float(row[name]) for name in _MEASURED] for row in rows]
        weather = [numbers[row["weather"]] for row in rows]
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{_FILE} lacks a column or value, or has an unknown one") from error
    if any(later - day != datetime.timedelta(1) for day, later in zip(days, days[1:])):
        raise ValueError(f"the rows of {_FILE} are not one day apart")
    return Dataset(
        name=entry.name,
        title=entry.title,
        x=np.c_[[day.timetuple().tm_yday for day in days], measured].astype(np.float32),
        y=np.array(weather, np.int32),
        classes=_CLASSES,
        features=("day of the year", *_MEASURED),
        source=entry.source,
        licence=entry.licence,
    )


ENTRIES = [
    Entry(
        name="seattle_weather",
        title="1,461 days of weather in Seattle, 2012 to 2015",
        source="NOAA, as packed with vega_datasets",
        licence="public domain (data), MIT (package)",
        files=(_FILE,),
        places=lambda: package_folder("vega_datasets", "_data"),
        command="pip install --no-deps vega_datasets==0.9.0",
        read=_read_weather,
    )
]
