"""Outages: commands with their ids, versions and tokens, and reads that see them."""

import unittest

import grpc

from client import CALL_SECONDS, CHANNEL, StackTest, as_, request_id, unique
from stubs import outage, outage_events, outage_grpc

OUTAGES = outage_grpc.OutageServiceStub(CHANNEL)
ADA = {"metadata": as_("ada"), "timeout": CALL_SECONDS}


def local(text):
    return outage.PointInTime(local_time=text)


def window(begin, end=None):
    return outage.WindowInput(**{"from": local(begin), "to": local(end) if end else None})


def declaration(name, **fields):
    """A request that declares an outage of one mailbox component."""
    begin = "2024-05-06T09:00:00"
    impact = outage.ImpactInput(
        impact="mailbox",
        component="mailbox",
        severity=outage_events.SEVERITY_TOTAL,
        window=window(begin),
    )
    known = {
        "request_id": request_id(),
        "outage": name,
        "provider": "python",
        "title": "Mail is down",
        "time_zone": "Europe/Rome",
        "declared": window(begin),
        "impacts": [impact],
    }
    return outage.DeclareOutageRequest(**(known | fields))


def declare(name, **fields):
    return OUTAGES.DeclareOutage(declaration(name, **fields), **ADA)


def title_window(name, begin, **fields):
    """A request that corrects the declared window."""
    known = {
        "request_id": request_id(),
        "name": f"outages/{name}",
        "note": "the operator looked again",
        "windows": outage.OwnWindows(declared=window(begin)),
    }
    return outage.AmendOutageRequest(**(known | fields))


def get(name, token=""):
    request = outage.GetOutageRequest(name=f"outages/{name}", min_position=token)
    return OUTAGES.GetOutage(request, **ADA)


class Commands(StackTest):
    def test_a_token_makes_a_read_see_the_command(self):
        name = unique("seen")
        declared = declare(name)
        self.assertEqual(declared.outage.etag, "1")
        for hour in range(10, 15):
            answer = OUTAGES.AmendOutage(title_window(name, f"2024-05-06T{hour}:00:00"), **ADA)
            read = get(name, answer.consistency_token)
            self.assertEqual(read.outage.etag, answer.outage.etag)
            # Rome is two hours ahead in May.
            began = getattr(read.outage.declared, "from").ToJsonString()
            self.assertEqual(began, f"2024-05-06T{hour - 2:02}:00:00Z")
            self.assertTrue(read.as_of.positions, "a read says how far its data had come")
            self.assertGreater(read.as_of.time.seconds, 0)

    def test_what_a_read_was_as_of_can_be_asked_for_again(self):
        name = unique("again")
        declare(name)
        first = get(name)
        second = get(name, ",".join(first.as_of.positions))
        self.assertEqual(second.outage, first.outage)

    def test_an_old_version_is_a_conflict(self):
        name = unique("versions")
        seen = declare(name).outage.etag
        OUTAGES.AmendOutage(title_window(name, "2024-05-06T10:00:00", etag=seen), **ADA)
        late = title_window(name, "2024-05-06T11:00:00", etag=seen)
        refusal = self.refused(
            grpc.StatusCode.ABORTED, "VERSION_CONFLICT", OUTAGES.AmendOutage, late, **ADA
        )
        self.assertEqual(refusal.info.metadata["etag"], "2")
        self.assertGreater(refusal.retry.retry_delay.nanos, 0)
        self.assertEqual(get(name).outage.etag, "2", "nothing was written")

    def test_the_same_request_is_the_same_command(self):
        name = unique("replayed")
        request = declaration(name)
        first = OUTAGES.DeclareOutage(request, **ADA)
        amend = title_window(name, "2024-05-06T10:00:00")
        amended = OUTAGES.AmendOutage(amend, **ADA)
        self.assertEqual(OUTAGES.AmendOutage(amend, **ADA), amended)
        again = OUTAGES.DeclareOutage(request, **ADA)
        self.assertEqual(again.consistency_token, first.consistency_token)
        timeline = OUTAGES.GetTimeline(outage.GetTimelineRequest(name=f"outages/{name}"), **ADA)
        self.assertEqual([entry.version for entry in timeline.entries], [1, 2])
        self.assertEqual({entry.actor for entry in timeline.entries}, {"ada"})

    def test_another_command_needs_another_id(self):
        name = unique("reused")
        request = declaration(name)
        OUTAGES.DeclareOutage(request, **ADA)
        request.title = "Something else"
        refusal = self.refused(
            grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_ID_REUSED", OUTAGES.DeclareOutage, request, **ADA
        )
        self.assertEqual(refusal.fields, ["request_id"])
        self.assertEqual(get(name).outage.title, "Mail is down")

    def test_what_is_only_validated_changes_nothing(self):
        name = unique("validated")
        request = declaration(name, validate_only=True)
        answer = OUTAGES.DeclareOutage(request, **ADA)
        self.assertEqual(answer.outage.title, "Mail is down", "the answer shows what it would be")
        self.assertEqual(answer.consistency_token, "")
        missing = outage.GetOutageRequest(name=f"outages/{name}")
        refusal = self.refused(
            grpc.StatusCode.NOT_FOUND, "RESOURCE_NOT_FOUND", OUTAGES.GetOutage, missing, **ADA
        )
        self.assertEqual(refusal.resource.resource_name, f"outages/{name}")
        self.assertEqual(refusal.resource.resource_type, "ristoro.dev/Outage")
        # Its id is still free, so the same id may carry it out.
        request.validate_only = False
        self.assertEqual(OUTAGES.DeclareOutage(request, **ADA).outage.etag, "1")

    def test_a_request_is_told_of_what_is_wrong_in_it(self):
        late = declaration(unique("wrong"), declared=window("2024-05-06T09:00:00", "2024-05-06T08:00:00"))
        refusal = self.refused(
            grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", OUTAGES.DeclareOutage, late, **ADA
        )
        self.assertEqual(len(refusal.fields), 1)
        self.assertTrue(refusal.fields[0].startswith("declared"), refusal.fields)
        nameless = declaration(unique("wrong"), request_id="")
        refusal = self.refused(
            grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", OUTAGES.DeclareOutage, nameless, **ADA
        )
        self.assertEqual(refusal.fields, ["request_id"])


class Pages(StackTest):
    def test_pages_show_everything_once(self):
        provider = unique("provider")
        names = {f"outages/{declare(unique('paged'), provider=provider).outage.name[8:]}" for _ in range(7)}
        seen, token, sizes = [], "", []
        while True:
            request = outage.ListOutagesRequest(provider=provider, page_size=3, page_token=token)
            page = OUTAGES.ListOutages(request, **ADA)
            seen += [one.name for one in page.outages]
            sizes.append(len(page.outages))
            token = page.next_page_token
            if not token:
                break
        self.assertEqual(sizes, [3, 3, 1])
        self.assertEqual(len(seen), len(set(seen)))
        self.assertEqual(set(seen), names)

    def test_a_token_belongs_to_its_query(self):
        provider = unique("provider")
        for _ in range(2):
            declare(unique("paged"), provider=provider)
        first = outage.ListOutagesRequest(provider=provider, page_size=1)
        token = OUTAGES.ListOutages(first, **ADA).next_page_token
        self.assertTrue(token)
        other = outage.ListOutagesRequest(provider="another", page_size=1, page_token=token)
        refusal = self.refused(
            grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD", OUTAGES.ListOutages, other, **ADA
        )
        self.assertEqual(refusal.fields, ["page_token"])


if __name__ == "__main__":
    unittest.main()
