"""Pages of a bulk evaluation as messages, each small enough for any client."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from segserver.engine.bulk import BulkPage
from segserver.rpc import convert, status
from segserver.v1 import segmentation_service_pb2 as pb

PART_BYTES_MAX = 3 * 1024 * 1024
"""gRPC clients take messages up to 4 MiB unless they are told otherwise."""


def parts(page: BulkPage) -> Iterator[pb.BulkEvaluateSegmentsResponse]:
    """The page in as few messages as it takes; one at least."""
    failed = [
        pb.BulkResult(subject_token=token, error=status.failure_of(error))
        for token, error in page.errors.items()
    ]
    yield from _parts(page, page.tokens, page.numbers, failed)


def _parts(
    page: BulkPage, tokens: Sequence[str], numbers: Sequence[Sequence[int]], failed: Sequence[pb.BulkResult]
) -> Iterator[pb.BulkEvaluateSegmentsResponse]:
    part = pb.BulkEvaluateSegmentsResponse(
        evaluation_id=page.evaluation_id,
        evaluate_time=convert.timestamp(page.time_us),
        catalog_digest=page.catalog_digest,
        log_index=page.log_index,
    )
    used = sorted({place for row in numbers for place in row})
    places = {place: fresh for fresh, place in enumerate(used)}
    part.distinct.extend([convert.segment_result(page.distinct[place]) for place in used])
    part.results.extend(
        [
            pb.BulkResult(subject_token=token, results=[places[place] for place in row])
            for token, row in zip(tokens, numbers, strict=True)
        ]
    )
    part.results.extend(failed)
    if part.ByteSize() <= PART_BYTES_MAX or len(tokens) + len(failed) < 2:
        yield part
        return
    half, cut = (len(tokens) + 1) // 2, (len(failed) + 1) // 2
    yield from _parts(page, tokens[:half], numbers[:half], failed[:cut])
    yield from _parts(page, tokens[half:], numbers[half:], failed[cut:])
