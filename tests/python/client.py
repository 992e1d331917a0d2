"""A client of a running stack: its address, its people, and what a refusal says.

RISTORO_ENDPOINT is the address that `ristoro dev` prints, RISTORO_TOKENS the file of tokens.
"""

import os
import time
import tomllib
import unittest
import uuid
from datetime import datetime, timezone

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import error_details_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_status import rpc_status

from stubs import errors

ENDPOINT = os.environ["RISTORO_ENDPOINT"].removeprefix("http://")
with open(os.environ["RISTORO_TOKENS"], "rb") as file:
    TOKENS = tomllib.load(file)

# How long one call may take, and how long the stack may take to be ready.
CALL_SECONDS = 30
READY_SECONDS = 60


def connect():
    """Opens a channel of its own."""
    return grpc.insecure_channel(ENDPOINT)


CHANNEL = connect()


def as_(name):
    """The metadata of a call by this person."""
    return (("authorization", f"Bearer {TOKENS[name]}"),)


def request_id():
    """A fresh id: the same one is sent again in retries alone."""
    return str(uuid.uuid4())


def unique(prefix):
    """An id that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:12]}"


def at(text):
    """A Timestamp from an RFC 3339 text in UTC."""
    read = datetime.fromisoformat(text).replace(tzinfo=timezone.utc)
    return Timestamp(seconds=int(read.timestamp()))


def wait_until_ready():
    """Waits until the whole stack says that it serves."""
    health = health_pb2_grpc.HealthStub(CHANNEL)
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        try:
            answer = health.Check(health_pb2.HealthCheckRequest(), timeout=1, wait_for_ready=True)
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return
        except grpc.RpcError:
            pass
        time.sleep(0.05)
    raise SystemExit(f"{ENDPOINT} is not ready after {READY_SECONDS} s")


class Refusal:
    """What a refusal says to a program, unpacked from `google.rpc.Status`."""

    def __init__(self, error):
        self.code = error.code()
        self.message = error.details()
        self.info = error_details_pb2.ErrorInfo()
        self.bad_request = error_details_pb2.BadRequest()
        self.resource = error_details_pb2.ResourceInfo()
        self.precondition = error_details_pb2.PreconditionFailure()
        self.retry = error_details_pb2.RetryInfo()
        known = [self.info, self.bad_request, self.resource, self.precondition, self.retry]
        status = rpc_status.from_call(error)
        for detail in status.details if status else []:
            if not any(detail.Unpack(message) for message in known if detail.Is(message.DESCRIPTOR)):
                raise AssertionError(f"the refusal has a detail that nobody expects: {detail}")

    @property
    def fields(self):
        """The fields of a request that are wrong."""
        return [violation.field for violation in self.bad_request.field_violations]


class StackTest(unittest.TestCase):
    """A test against the stack."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        wait_until_ready()

    def refused(self, code, reason, call, *arguments, **named):
        """Expects a refusal with this code and this reason of errors.proto; gives it unpacked."""
        named.setdefault("timeout", CALL_SECONDS)
        with self.assertRaises(grpc.RpcError) as caught:
            answer = call(*arguments, **named)
            # A stream tells on reading.
            if hasattr(answer, "__iter__"):
                list(answer)
        refusal = Refusal(caught.exception)
        self.assertEqual(refusal.code, code, refusal.message)
        self.assertEqual(refusal.info.domain, "ristoro.dev")
        self.assertEqual(refusal.info.reason, reason)
        names = errors.ErrorReason.keys()
        self.assertIn(f"ERROR_REASON_{refusal.info.reason}", names, "errors.proto has no such reason")
        self.assertTrue(refusal.message, "a refusal says why")
        return refusal
