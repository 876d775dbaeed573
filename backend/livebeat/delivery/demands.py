"""What a schedule's policies demand of the workers of its queue: that they keep the ledger, and can stop a run."""

from livebeat import clock
from livebeat.connection import Link
from livebeat.delivery.installation import installed
from livebeat.delivery.workers import PERIOD, Worker, workers
from livebeat.errors import SpecError
from livebeat.spec import ScheduleSpec

#: The pool whose children can be stopped one by one.
STOPPABLE = "prefork"


class Demands:
    """Checked against the workers as their heartbeats tell, which are read about as often as they are written."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._workers: list[Worker] = []
        self._read_at = float("-inf")

    def check(self, spec: ScheduleSpec, queue: str, *, plain: bool) -> None:
        """Refuse a schedule whose policies can't be kept on a queue; `plain`: a plain worker consumes it.

        Raises:
            SpecError: which policy, why not, and what to do.
        """
        if spec.overlap != "allow":
            self._check_ledger(spec, queue, plain=plain)
        if spec.overlap == "cancel_previous":
            self._check_pools("overlap", "cancel_previous", queue)
        if spec.max_runtime is not None:
            self._check_pools("max_runtime", f"{spec.max_runtime:g}", queue)

    def _check_ledger(self, spec: ScheduleSpec, queue: str, *, plain: bool) -> None:
        if not installed(self._link.app):
            raise SpecError(
                "overlap",
                f"{spec.overlap} needs the ledger, and this app did not call livebeat.install(app); call it where the app is "
                "made, or write allow",
                f"{spec.overlap}에는 원장이 필요한데 이 앱은 livebeat.install(app)을 호출하지 않았습니다. 앱을 만드는 곳에서 "
                "호출하거나 allow로 적으세요",
            )
        if plain:
            raise SpecError(
                "overlap",
                f"{spec.overlap} needs the ledger, and a worker without livebeat.install consumes queue {queue!r} "
                "(`livebeat status` names it); stop it, or write allow, then save the schedule again",
                f"{spec.overlap}에는 원장이 필요한데 livebeat.install 없이 실행된 Worker가 큐 {queue!r}을(를) 처리하고 있습니다 "
                "(`livebeat status`에 표시됩니다). 종료하거나 allow로 적은 뒤 스케줄을 다시 저장하세요",
            )

    def _check_pools(self, field: str, value: str, queue: str) -> None:
        if clock.monotonic() - self._read_at > PERIOD:
            self._workers, self._read_at = workers(self._link), clock.monotonic()
        unfit = [one for one in self._workers if queue in one.queues and one.pool not in {"", STOPPABLE}]
        if unfit:
            told = ", ".join(f"{one.name} ({one.pool})" for one in unfit)
            raise SpecError(
                field,
                f"{value} needs workers with a {STOPPABLE} pool, as no other can stop a run; queue {queue!r} is consumed by "
                f"{told}. Start it with --pool={STOPPABLE}, or remove the limit, then save the schedule again",
                f"{value}: 실행을 중단할 수 있는 {STOPPABLE} 풀의 Worker가 필요한데 큐 {queue!r}을(를) {told}이(가) 처리하고 "
                f"있습니다. --pool={STOPPABLE}로 시작하거나 이 항목을 뺀 뒤 스케줄을 다시 저장하세요",
            )
