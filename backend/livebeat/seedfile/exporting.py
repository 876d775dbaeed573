"""The live schedules as the text of a `schedules.json`.

By name, each with what isn't the default, in one order; rules with their zones and the instants that they count from.
So a file of this form comes out again byte for byte after it was applied, and a copy of it elsewhere means the same.
"""

import json
from collections.abc import Collection
from typing import Any, cast

from livebeat.connection import Link
from livebeat.spec import ScheduleSpec
from livebeat.store import ScheduleStore

_FIRST = ("task", "recurrence")


def export(link: Link, names: Collection[str] | None = None) -> str:
    """The schedules of these names; without any, all but those of the app's own `beat_schedule`.

    Raises:
        ScheduleNotFoundError: none of such a name.
        SpecError: what lies in Redis under such a name can't be understood.
    """
    store = ScheduleStore(link.app)
    if names is None:
        statics = cast("set[str]", link.client.smembers(link.keys.statics))
        specs = [stored.spec for stored in store.list() if stored.spec.name not in statics]
    else:
        specs = [store.get(name).spec for name in sorted(set(names))]
    return json.dumps({spec.name: _entry(spec) for spec in specs}, ensure_ascii=False, indent=2) + "\n"


def _entry(spec: ScheduleSpec) -> dict[str, Any]:
    said = spec.to_json()
    plain = ScheduleSpec(name=spec.name, task=spec.task, recurrence=spec.recurrence).to_json()
    more = {field: value for field, value in said.items() if field not in plain or value != plain[field]}
    return {**{field: said[field] for field in _FIRST}, **more}
