"""The figures of delivery: `make bench NAME=delivery`. The last line is one JSON object.

The provider is the sandbox in another process, with 50 ms of latency. Throughput stands beside bare boto3 with as many
threads in the same run, because machines differ and are shared. Each part runs in processes of its own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from benchmarks.mailing import ROOT, build_mailing, open_mailing, provider, queue_messages, settings_for
from benchmarks.senders import WARMING, begin, end, senders
from delivery.envelope import Envelope

_CALLERS = 32
_CONNECTIONS = 64
_MESSAGES = 6_000
_CALLS = 4_000
_BULK_MAILS = 10_000
_BULK_CALLERS = 16
_QUOTA = 100
_QUOTA_S = 20
_MEMORY_MESSAGES = 100_000
_PART_S = 900
_MB = 1_024 * 1_024


def _pipeline(folder: Path, url: str, messages: int, processes: int) -> dict[str, float]:
    """Messages a second and CPU a message, from the first claim to the last record."""
    with provider() as endpoint:
        build_mailing(settings_for(folder, url, endpoint=endpoint, callers=_CALLERS), messages)
        with senders(folder, url, endpoint, processes=processes, callers=_CALLERS) as workers:
            begun = begin(workers)
            done = end(workers)
    count = sum(one.count for one in done)
    if count != messages - processes * WARMING:
        raise RuntimeError(f"{count} of {messages} messages were sent")
    seconds = max(one.ended_at for one in done) - begun
    return {"per_s": count / seconds, "cpu_us": sum(one.cpu_s for one in done) / count * 1e6}


def _on_sqlite(folder: Path, scale: float) -> dict[str, float]:
    """One process beside bare boto3, then two on the same kind of database."""
    bare = _bare(folder, int(_CALLS * scale))
    url = f"sqlite:///{folder / 'one' / 'postilion.db'}"
    one = _pipeline(_made(folder / "one"), url, int(_MESSAGES * scale), 1)
    two = _pipeline(_made(folder / "two"), url.replace("/one/", "/two/"), int(_MESSAGES * scale), 2)
    return {
        "boto3_per_s_process": bare["per_s"],
        "boto3_cpu_us": bare["cpu_us"],
        "pipeline_per_s_process_sqlite": one["per_s"],
        "pipeline_to_boto3_sqlite": one["per_s"] / bare["per_s"],
        "pipeline_cpu_us": one["cpu_us"],
        "pipeline_cpu_us_two": two["cpu_us"],
        "cpu_two_over_one": two["cpu_us"] / one["cpu_us"],
        "two_over_one": two["per_s"] / one["per_s"],
    }


def _on_postgresql(folder: Path, scale: float) -> dict[str, float]:
    """On a private cluster; without PostgreSQL there is no figure."""
    from tests import databases

    programs = databases.find_programs()
    if programs is None:
        return {}
    bare = _bare(folder, int(_CALLS * scale))
    with databases.cluster_folder() as cluster:
        one = _pipeline(folder, databases.cluster_url(cluster, programs), int(_MESSAGES * scale), 1)
    return {
        "pipeline_per_s_process_postgresql": one["per_s"],
        "pipeline_to_boto3_postgresql": one["per_s"] / bare["per_s"],
        "pipeline_cpu_us_postgresql": one["cpu_us"],
    }


def _bare(folder: Path, calls: int) -> dict[str, float]:
    """`send_email` of boto3 as it comes, but for its retries, which would send mails twice."""
    import boto3
    from botocore.config import Config

    from delivery.providers.ses import request_of

    (envelope,) = _composed(folder, 1)
    with provider() as endpoint:
        config = Config(retries={"total_max_attempts": 1}, max_pool_connections=_CALLERS)
        session = boto3.Session("local", "local", region_name="eu-central-1")
        client = session.client("sesv2", endpoint_url=endpoint, config=config)
        request = request_of(envelope)
        return _repeat(lambda _: client.send_email(**request), range(calls), _CALLERS)


def _fast(folder: Path, scale: float) -> dict[str, float]:
    """One mail a call, signed by ourselves."""
    from delivery.providers.ses_fast import FastSesTransport

    (envelope,) = _composed(folder, 1)
    with provider() as endpoint:
        transport = FastSesTransport(region="eu-central-1", endpoint_url=endpoint)
        done = _repeat(lambda _: transport.send(envelope), range(int(_CALLS * 2 * scale)), _CONNECTIONS)
    return {"fast_transport_per_s_process": done["per_s"], "fast_transport_cpu_us": done["cpu_us"]}


def _bulk(folder: Path, scale: float) -> dict[str, float]:
    """Many mails a call, with the whole HTML as the value, and with values alone."""
    from dataclasses import replace

    envelopes = _composed(folder, 200)
    wholes = [replace(envelope, pieces=None) for envelope in envelopes]
    return {
        "html_kb": len(envelopes[0].html.encode()) / 1_024,
        "bulk_per_s_process": _together(wholes, int(_BULK_MAILS * scale)),
        "bulk_values_per_s_process": _together(envelopes, int(_BULK_MAILS * 2 * scale)),
    }


def _together(envelopes: Sequence[Envelope], mails: int) -> float:
    from delivery.providers.ses_bulk import BulkSesTransport
    from delivery.providers.transport import TransportError

    with provider() as endpoint:
        transport = BulkSesTransport(region="eu-central-1", endpoint_url=endpoint)
        count = transport.count_together(envelopes)
        parcels = [envelopes[start : start + count] for start in range(0, len(envelopes) - count + 1, count)]

        def send(number: int) -> None:
            results = transport.send_together(parcels[number % len(parcels)])
            if any(isinstance(one, TransportError) for one in results):
                raise RuntimeError(f"a mail was not accepted: {results}")

        return _repeat(send, range(max(_BULK_CALLERS, mails // count)), _BULK_CALLERS)["per_s"] * count


def _quota(folder: Path, scale: float) -> dict[str, float]:
    """Two processes at a quota of 100 a second: what of it is used, and by how much any sliding second exceeds it."""
    url = f"sqlite:///{folder / 'postilion.db'}"
    messages = int(_QUOTA * _QUOTA_S * scale)
    with provider(rate=_QUOTA) as endpoint:
        build_mailing(settings_for(folder, url, endpoint=endpoint, callers=_CALLERS), messages)
        with senders(folder, url, endpoint, processes=2, callers=_CALLERS) as workers:
            begin(workers)
            end(workers)
        accepted = sorted(_instants(endpoint))
    busiest = first = 0
    for number, at in enumerate(accepted):
        while at - accepted[first] > 1:
            first += 1
        busiest = max(busiest, number - first + 1)
    return {
        "rate_used_ratio": (len(accepted) - 1) / (accepted[-1] - accepted[0]) / _QUOTA,
        "rate_overshoot": max(0, busiest - _QUOTA),
        "rate_busiest_second": busiest,
    }


def _instants(endpoint: str) -> Iterator[float]:
    """When the provider accepted each mail, in seconds."""
    after = 0
    while True:
        with urlopen(f"{endpoint}/sandbox/messages?after={after}&limit=1000", timeout=60) as answer:
            page = json.load(answer)["messages"]
        yield from (datetime.fromisoformat(one["received_at"]).timestamp() for one in page)
        if not page:
            return
        after = page[-1]["seq"]


class _Accepting:
    """A provider that takes everything at once, so that memory alone is measured."""

    name, channel = "accepting", "email"

    def send(self, envelope: Envelope) -> Any:
        from delivery.providers.transport import Accepted

        return Accepted(envelope.message_id)

    def read_rate(self) -> None:
        return None


def _memory(folder: Path, scale: float) -> dict[str, float]:
    """What a process grows by over 100,000 messages, after the first tenth of them."""
    from datetime import timedelta

    from campaigns.compose import Composer
    from delivery.worker import DeliveryWorker

    people = int(_MEMORY_MESSAGES * scale) // 10
    settings = settings_for(folder, f"sqlite:///{folder / 'postilion.db'}", endpoint="http://local", callers=_CALLERS)
    build_mailing(settings, people)
    after_first = 0.0
    with open_mailing(settings) as runtime:
        worker = DeliveryWorker(runtime, {"email": _Accepting()}, Composer(runtime).compose, name="memory")
        for wave in range(2, 12):
            worker.deliver(runtime.clock.now(), length=timedelta(minutes=10))
            after_first = after_first or _resident_mb()
            queue_messages(runtime, people, f"wave-{wave}")
        worker.close()
    return {"memory_growth_mb": _resident_mb() - after_first}


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / _MB


def _composed(folder: Path, count: int) -> list[Envelope]:
    """Mails as the pipeline composes them."""
    from campaigns.compose import Composer
    from delivery.worker import DeliveryWorker

    found: list[Envelope] = []
    place = _made(folder / f"composed-{time.monotonic_ns()}")
    settings = settings_for(place, f"sqlite:///{place / 'postilion.db'}", endpoint="http://local", callers=1)
    build_mailing(settings, count)

    class Keeping(_Accepting):
        def send(self, envelope: Envelope) -> Any:
            found.append(envelope)
            return super().send(envelope)

    with open_mailing(settings) as runtime:
        worker = DeliveryWorker(runtime, {"email": Keeping()}, Composer(runtime).compose, name="composing")
        worker.deliver(runtime.clock.now())
        worker.close()
    return found


def _repeat(work: Callable[[int], object], numbers: range, threads: int) -> dict[str, float]:
    """How fast `threads` do `work`, once each of them has a connection."""
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads * 2)))
        begun, cpu = time.perf_counter(), time.process_time()
        list(pool.map(work, numbers))
        seconds, cpu = time.perf_counter() - begun, time.process_time() - cpu
    return {"per_s": len(numbers) / seconds, "cpu_us": cpu / len(numbers) * 1e6}


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _rendering(_folder: Path, _scale: float) -> dict[str, float]:
    from benchmarks import rendering

    return {"render_per_s_core": rendering.measure()["render_per_s_core"]}


_PARTS: dict[str, Callable[[Path, float], dict[str, float]]] = {
    "rendering": _rendering,
    "sqlite": _on_sqlite,
    "postgresql": _on_postgresql,
    "fast": _fast,
    "bulk": _bulk,
    "quota": _quota,
    "memory": _memory,
}


def _in_a_process(part: str, scale: float) -> dict[str, float]:
    words = [sys.executable, "-m", "benchmarks.delivery", "--part", part, "--scale", str(scale)]
    done = subprocess.run(words, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True, timeout=_PART_S)
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--scale", type=float, default=1.0, help="a share of the messages, for a quick look")
    parser.add_argument("--only", choices=list(_PARTS), action="append", help="this part alone; may be repeated")
    parser.add_argument("--part", choices=list(_PARTS), help=argparse.SUPPRESS)
    given: Any = parser.parse_args()
    if given.part:
        with tempfile.TemporaryDirectory(prefix="postilion-bench-") as name:
            print(json.dumps(_PARTS[given.part](Path(name), given.scale)))
        return
    figures: dict[str, float] = {}
    for part in given.only or _PARTS:
        print(f"{part} …", flush=True)
        figures |= _in_a_process(part, given.scale)
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


if __name__ == "__main__":
    main()
