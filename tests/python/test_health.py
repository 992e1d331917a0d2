"""Health and reflection, which need no token."""

import unittest

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

from client import CALL_SECONDS, CHANNEL, StackTest, as_, request_id, unique
from stubs import PROTOS

# Every service of the protos; the stack runs all of them behind one address.
SERVICES = sorted(
    f"ristoro.{path.parts[-3]}.v1.{line.split()[1]}"
    for path in PROTOS.glob("ristoro/*/v1/*.proto")
    for line in path.read_text().splitlines()
    if line.startswith("service ")
)


def reflect(version, message):
    """Asks one thing of the reflection service of a version; both have the same messages."""
    call = CHANNEL.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    return next(call(iter([message]), timeout=CALL_SECONDS))


class Database(ProtoReflectionDescriptorDatabase):
    """Descriptors by the reflection service of a version; PyPI's client knows v1alpha alone."""

    def __init__(self, version):
        super().__init__(CHANNEL)
        self.version = version

    def _do_one_request(self, request, key):
        response = reflect(self.version, request)
        if response.HasField("error_response"):
            raise KeyError(key)
        return response


class Health(StackTest):
    def test_the_whole_and_every_service_are_healthy(self):
        health = health_pb2_grpc.HealthStub(CHANNEL)
        for service in ["", *SERVICES]:
            with self.subTest(service):
                answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
                self.assertEqual(answer.status, health_pb2.HealthCheckResponse.SERVING)

    def test_a_service_that_is_not_there_is_not_found(self):
        health = health_pb2_grpc.HealthStub(CHANNEL)
        with self.assertRaises(grpc.RpcError) as caught:
            health.Check(health_pb2.HealthCheckRequest(service="ristoro.none"), timeout=5)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)

    def test_a_watch_tells_the_state_at_once(self):
        health = health_pb2_grpc.HealthStub(CHANNEL)
        watch = health.Watch(health_pb2.HealthCheckRequest(service=SERVICES[0]), timeout=5)
        self.assertEqual(next(watch).status, health_pb2.HealthCheckResponse.SERVING)
        watch.cancel()


class Reflection(StackTest):
    def test_every_service_is_listed_in_both_versions(self):
        self.assertGreaterEqual(len(SERVICES), 12, SERVICES)
        for version in ["v1", "v1alpha"]:
            with self.subTest(version):
                request = reflection_pb2.ServerReflectionRequest(list_services="")
                answer = reflect(version, request).list_services_response
                listed = {service.name for service in answer.service}
                self.assertEqual(
                    {name for name in listed if name.startswith("ristoro.")}, set(SERVICES)
                )
                self.assertIn("grpc.health.v1.Health", listed)

    def test_an_outage_is_declared_and_read_without_any_stub(self):
        for version in ["v1", "v1alpha"]:
            with self.subTest(version):
                self._declares_and_reads(DescriptorPool(Database(version)))

    def _declares_and_reads(self, pool):
        service = pool.FindServiceByName("ristoro.outage.v1.OutageService")
        outage = unique("reflected")
        declare = service.methods_by_name["DeclareOutage"]
        local = {"from": {"local_time": "2024-03-01T08:00:00"}}
        answer = call(
            declare,
            request_id=request_id(),
            outage=outage,
            provider="reflection",
            title="Told without a stub",
            time_zone="Europe/Rome",
            declared=local,
            impacts=[{"component": "mailbox", "severity": "SEVERITY_TOTAL", "window": local}],
        )
        self.assertEqual(answer.outage.name, f"outages/{outage}")
        read = call(
            service.methods_by_name["GetOutage"],
            name=answer.outage.name,
            min_position=answer.consistency_token,
        )
        self.assertEqual(read.outage.impacts[0].component, "mailbox")
        # 08:00 in Rome is 07:00 in UTC.
        began = getattr(read.outage.declared, "from")
        self.assertEqual(began.ToJsonString(), "2024-03-01T07:00:00Z")

    def test_a_name_that_is_none_is_told(self):
        request = reflection_pb2.ServerReflectionRequest(file_containing_symbol="ristoro.No")
        with self.assertRaises(grpc.RpcError) as caught:
            reflect("v1", request)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.NOT_FOUND)


def call(method, **fields):
    """Calls a method that only its descriptor is known of."""
    ask = message_factory.GetMessageClass(method.input_type)
    answer = message_factory.GetMessageClass(method.output_type)
    path = f"/{method.containing_service.full_name}/{method.name}"
    stub = CHANNEL.unary_unary(
        path, request_serializer=ask.SerializeToString, response_deserializer=answer.FromString
    )
    return stub(ask(**fields), metadata=as_("ada"), timeout=CALL_SECONDS)


if __name__ == "__main__":
    unittest.main()
