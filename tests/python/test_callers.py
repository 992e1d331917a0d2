"""Who may call, and how long: tokens, roles and deadlines."""

import unittest

import grpc

from client import CALL_SECONDS, CHANNEL, StackTest, as_
from stubs import outage, outage_grpc, policy, policy_grpc
from test_outages import declaration, get, unique

OUTAGES = outage_grpc.OutageServiceStub(CHANNEL)


class Callers(StackTest):
    def test_a_call_without_a_token_is_refused(self):
        request = outage.ListOutagesRequest()
        refusal = self.refused(
            grpc.StatusCode.UNAUTHENTICATED, "TOKEN_MISSING", OUTAGES.ListOutages, request
        )
        self.assertIn("authorization: Bearer", refusal.message)

    def test_a_token_of_nobody_is_refused(self):
        metadata = (("authorization", "Bearer nobody-has-this-one"),)
        refusal = self.refused(
            grpc.StatusCode.UNAUTHENTICATED,
            "TOKEN_UNKNOWN",
            OUTAGES.ListOutages,
            outage.ListOutagesRequest(),
            metadata=metadata,
        )
        self.assertNotIn("nobody-has-this-one", refusal.message)

    def test_a_role_is_asked_for(self):
        name = unique("by-carla")
        refusal = self.refused(
            grpc.StatusCode.PERMISSION_DENIED,
            "ROLE_MISSING",
            OUTAGES.DeclareOutage,
            declaration(name),
            metadata=as_("carla"),
        )
        self.assertEqual(refusal.info.metadata["principal"], "carla")
        self.assertIn("declarer", refusal.info.metadata["roles"])
        missing = outage.GetOutageRequest(name=f"outages/{name}")
        self.refused(
            grpc.StatusCode.NOT_FOUND,
            "RESOURCE_NOT_FOUND",
            OUTAGES.GetOutage,
            missing,
            metadata=as_("carla"),
        )

    def test_a_method_that_is_not_there_is_told(self):
        call = CHANNEL.unary_unary("/ristoro.outage.v1.OutageService/ForgetOutage")
        self.refused(
            grpc.StatusCode.UNIMPLEMENTED, "METHOD_UNKNOWN", call, b"", metadata=as_("ada")
        )

    def test_bytes_that_are_no_message_are_told(self):
        call = CHANNEL.unary_unary("/ristoro.outage.v1.OutageService/GetOutage")
        refusal = self.refused(
            grpc.StatusCode.INVALID_ARGUMENT, "MALFORMED_REQUEST", call, b"\xff", metadata=as_("ada")
        )
        self.assertIn("GetOutage", refusal.message)


class Deadlines(StackTest):
    def test_a_deadline_that_is_over_ends_the_call(self):
        request = outage.ListOutagesRequest()
        for seconds in [-1, 0.000_001]:
            with self.subTest(seconds), self.assertRaises(grpc.RpcError) as caught:
                OUTAGES.ListOutages(request, metadata=as_("ada"), timeout=seconds)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.DEADLINE_EXCEEDED)

    def test_a_deadline_reaches_the_server(self):
        # Sent by hand, so that this end waits longer; the server would wait seconds for a position that nobody reaches.
        metadata = as_("ada") + (("grpc-timeout", "200m"),)
        request = outage.ListOutagesRequest(min_position="ristoro.outage.v1/0/999999")
        refusal = self.refused(
            grpc.StatusCode.DEADLINE_EXCEEDED,
            "DEADLINE_EXCEEDED",
            OUTAGES.ListOutages,
            request,
            metadata=metadata,
            timeout=None,
        )
        self.assertIn("the same request_id", refusal.message)

    def test_a_command_that_missed_its_deadline_is_sent_again(self):
        name = unique("late")
        request = declaration(name)
        late = 0
        for seconds in [0.000_5, 0.005, 0.02, CALL_SECONDS]:
            try:
                OUTAGES.DeclareOutage(request, metadata=as_("ada"), timeout=seconds)
            except grpc.RpcError as error:
                self.assertEqual(error.code(), grpc.StatusCode.DEADLINE_EXCEEDED)
                late += 1
        self.assertGreaterEqual(late, 1)
        self.assertEqual(get(name).outage.etag, "1", "it took effect once")

    def test_a_read_of_what_is_not_there_yet_is_told_in_time(self):
        policies = policy_grpc.PolicyServiceStub(CHANNEL)
        request = policy.ListPoliciesRequest(min_position="ristoro.policy.v1/0/999999")
        self.refused(
            grpc.StatusCode.UNAVAILABLE,
            "NOT_YET_VISIBLE",
            policies.ListPolicies,
            request,
            metadata=as_("ada"),
            timeout=CALL_SECONDS,
        )


if __name__ == "__main__":
    unittest.main()
