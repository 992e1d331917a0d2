"""The way of one outage for a few people: roster, policy, simulation, two people, decision, reasons."""

import unittest

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from client import CALL_SECONDS, CHANNEL, StackTest, as_, at, request_id, unique
from stubs import (
    ROOT,
    assessment,
    assessment_grpc,
    entitlement,
    entitlement_grpc,
    money,
    outage,
    outage_grpc,
    policy,
    policy_grpc,
    subscriber,
    subscription,
    subscription_grpc,
)
from test_outages import declaration, local, window

ADA = {"metadata": as_("ada"), "timeout": CALL_SECONDS}
BRUNO = {"metadata": as_("bruno"), "timeout": CALL_SECONDS}
CARLA = {"metadata": as_("carla"), "timeout": CALL_SECONDS}
ASSESSMENTS = assessment_grpc.AssessmentServiceStub(CHANNEL)
ENTITLEMENTS = entitlement_grpc.EntitlementServiceStub(CHANNEL)
OUTAGES = outage_grpc.OutageServiceStub(CHANNEL)
POLICIES = policy_grpc.PolicyServiceStub(CHANNEL)
SUBSCRIPTIONS = subscription_grpc.SubscriptionServiceStub(CHANNEL)

# Valid by its check digits, at a bank that is none.
IBAN = "IT60X0542811101000000123456"
PEOPLE = 30


def row(place, person, **fields):
    """A free mailbox, or what the fields say."""
    known = {
        "row": place,
        "subscription_id": f"mailbox-{person}",
        "subscriber_id": f"person-{person}",
        "service": "libero-mail",
        "plan": "free",
        "segment": subscriber.SEGMENT_CONSUMER,
        "class": subscriber.CLASS_FREE,
        "valid_from": at("2022-01-01T00:00:00"),
        "contact": subscriber.Contact(email=f"{person}@mail.example", locale="it"),
    }
    return subscription.SubscriptionRow(**(known | fields))


def paying(place, person):
    fee = money.Money(currency_code="EUR", units=19, nanos=990_000_000)
    fields = {"class": subscriber.CLASS_PRINCIPAL, "fee": fee, "fee_period": subscriber.FEE_PERIOD_YEAR}
    return row(place, person, plan="plus-5gb", payee=subscriber.Payee(iban=IBAN, name="Ada Neri"), **fields)


def send(rows, a_message=7, **first):
    """Imports rows in messages of a few."""
    request = request_id()

    def messages():
        for begin in range(0, len(rows), a_message):
            fields = {"request_id": request, **first}
            yield subscription.ImportSubscriptionsRequest(
                rows=rows[begin : begin + a_message], **fields
            )

    return SUBSCRIPTIONS.ImportSubscriptions(messages(), **ADA)


class Rosters(StackTest):
    def test_bad_rows_are_told_by_place_and_column_and_the_others_are_taken(self):
        person = unique("row")
        rows = [
            row(2, f"{person}-a"),
            row(3, f"{person}-b", payee=subscriber.Payee(iban="IT61X0542811101000000123456", name="B")),
            row(4, f"{person}-c", valid_to=at("2021-01-01T00:00:00")),
            row(5, f"{person}-d", fee=money.Money(currency_code="EUR", units=1)),
            row(6, f"{person}-e", valid_from=Timestamp(seconds=10**15)),
            paying(7, f"{person}-f"),
        ]
        answer = send(rows, a_message=2)
        self.assertEqual((answer.rows, answer.imported, answer.rejected), (6, 2, 4))
        told = {reject.row: reject.column for reject in answer.rejects}
        self.assertEqual(told, {3: "iban", 4: "valid_to", 5: "fee", 6: "valid_from"})
        for reject in answer.rejects:
            self.assertNotIn("IT61", reject.reason, "no account in a message")
        again = send(rows, a_message=3)
        self.assertEqual((again.imported, again.unchanged, again.rejected), (0, 2, 4))
        name = f"subscribers/person-{person}-f/subscriptions/mailbox-{person}-f"
        request = subscription.GetSubscriptionRequest(name=name, min_position=answer.consistency_token)
        support = SUBSCRIPTIONS.GetSubscription(request, **CARLA).subscription
        self.assertEqual(support.payee.iban, IBAN)
        masked = SUBSCRIPTIONS.GetSubscription(request, **ADA).subscription
        self.assertNotIn(IBAN[4:-4], masked.payee.iban)

    def test_a_strict_import_takes_all_or_nothing(self):
        person = unique("strict")
        rows = [row(2, f"{person}-a"), row(3, f"{person}-b", service="No Service")]
        answer = send(rows, strict=True)
        self.assertEqual((answer.imported, answer.rejected), (0, 1))
        name = f"subscribers/person-{person}-a/subscriptions/mailbox-{person}-a"
        self.refused(
            grpc.StatusCode.NOT_FOUND,
            "RESOURCE_NOT_FOUND",
            SUBSCRIPTIONS.GetSubscription,
            subscription.GetSubscriptionRequest(name=name),
            **ADA,
        )


class Settlement(StackTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.people = unique("settled")
        rows = [row(place, f"{cls.people}-{place}") for place in range(2, PEOPLE)]
        rows.append(paying(PEOPLE, f"{cls.people}-{PEOPLE}"))
        imported = send(rows)
        assert imported.imported == len(rows), imported
        text = (ROOT / "crates/domain/policies/libero-2023.toml").read_text()
        publish = policy.PublishPolicyRequest(request_id=request_id(), file="libero-2023.toml", text=text)
        published = POLICIES.PublishPolicy(publish, **ADA)
        cls.outage = unique("outage")
        declared = OUTAGES.DeclareOutage(declaration(cls.outage), **ADA)
        resolve = outage.ResolveOutageRequest(
            request_id=request_id(),
            name=declared.outage.name,
            resolved_at=local("2024-05-08T10:00:00"),
        )
        resolved = OUTAGES.ResolveOutage(resolve, **ADA)
        tokens = [imported, published, resolved]
        cls.token = ",".join(answer.consistency_token for answer in tokens)

    def test_an_outage_is_settled_by_two_people_and_explained(self):
        simulation = self._simulates()
        proposed = self._proposes(simulation)
        self._is_approved_by_another(proposed)
        ended = self._is_watched_to_its_end(proposed)
        self.assertEqual(ended.totals, simulation.totals)
        self.assertEqual(ended.digest, simulation.digest)
        self._is_listed_once_a_person(proposed, simulation)
        self._is_explained(proposed)

    def _simulates(self):
        request = assessment.SimulateAssessmentRequest(
            outage=f"outages/{self.outage}",
            policies=["policies/libero-2023"],
            min_position=self.token,
        )
        answer = ASSESSMENTS.SimulateAssessment(request, **CARLA)
        self.assertTrue(answer.as_of.positions)
        [simulation] = answer.simulations
        self.assertGreaterEqual(simulation.totals.count, PEOPLE - 1)
        plans = {one.value: one.totals.entitled for one in simulation.groups if one.dimension == "plan"}
        self.assertGreaterEqual(plans["libero-mail/plus-5gb"], 1)
        self.assertGreaterEqual(plans["libero-mail/free"], PEOPLE - 2)
        return simulation

    def _proposes(self, simulation):
        request = assessment.ProposeAssessmentRequest(
            request_id=request_id(),
            outage=f"outages/{self.outage}",
            policy="policies/libero-2023",
            chunk_size=8,
        )
        answer = ASSESSMENTS.ProposeAssessment(request, **ADA)
        proposed = answer.assessment
        self.assertEqual(proposed.digest, simulation.digest)
        self.assertEqual(proposed.proposed_by, "ada")
        self.assertEqual(proposed.state, assessment.ASSESSMENT_STATE_PROPOSED)
        again = ASSESSMENTS.ProposeAssessment(request, **ADA)
        self.assertEqual(again.assessment.name, proposed.name)
        return proposed

    def _is_approved_by_another(self, proposed):
        def approval(**fields):
            known = {
                "request_id": request_id(),
                "name": proposed.name,
                "digest": proposed.digest,
                "cap": money.Money(currency_code="EUR"),
            }
            return assessment.ApproveAssessmentRequest(**(known | fields))

        approve = ASSESSMENTS.ApproveAssessment
        self.refused(grpc.StatusCode.PERMISSION_DENIED, "SAME_PERSON", approve, approval(), **ADA)
        other = approval(digest="0" * 64)
        self.refused(grpc.StatusCode.ABORTED, "DIGEST_MISMATCH", approve, other, **BRUNO)
        carla = approval()
        self.refused(grpc.StatusCode.PERMISSION_DENIED, "ROLE_MISSING", approve, carla, **CARLA)
        answer = approve(approval(), **BRUNO)
        self.assertEqual(answer.assessment.approved_by, "bruno")
        turn_down = assessment.RejectAssessmentRequest(
            request_id=request_id(), name=proposed.name, note="too late"
        )
        refusal = self.refused(
            grpc.StatusCode.FAILED_PRECONDITION,
            "WRONG_STATE",
            ASSESSMENTS.RejectAssessment,
            turn_down,
            **BRUNO,
        )
        self.assertEqual(refusal.precondition.violations[0].type, "WRONG_STATE")

    def _is_watched_to_its_end(self, proposed):
        watch = ASSESSMENTS.WatchAssessment(
            assessment.WatchAssessmentRequest(name=proposed.name), **CARLA
        )
        decided, last = 0, None
        for update in watch:
            self.assertGreaterEqual(update.assessment.decided, decided, "a watch never goes back")
            decided, last = update.assessment.decided, update
        self.assertEqual(last.assessment.state, assessment.ASSESSMENT_STATE_COMPLETED)
        self.assertEqual(decided, last.total)
        return last.assessment

    def _is_listed_once_a_person(self, proposed, simulation):
        names, token = [], ""
        while True:
            request = entitlement.ListEntitlementsRequest(
                parent=proposed.name, page_size=11, page_token=token
            )
            page = ENTITLEMENTS.ListEntitlements(request, **CARLA)
            names += [one.subscription for one in page.entitlements]
            token = page.next_page_token
            if not token:
                break
        self.assertEqual(len(names), simulation.totals.count)
        self.assertEqual(len(names), len(set(names)))

    def _is_explained(self, proposed):
        person = f"{self.people}-{PEOPLE}"
        name = f"subscribers/person-{person}/subscriptions/mailbox-{person}"
        request = entitlement.ExplainEntitlementRequest(name=name)
        answer = ENTITLEMENTS.ExplainEntitlement(request, **CARLA)
        [explanation] = answer.explanations
        self.assertTrue(explanation.entitlement.released)
        [remedy] = explanation.entitlement.reason.remedies
        self.assertEqual(remedy.term.months, 6)
        rules = [line.rule for line in explanation.entitlement.reason.trace]
        self.assertIn("longer-term", rules)
        kinds = [link.type for link in explanation.chain]
        for kind in ["OutageDeclared", "PolicyPublished", "AssessmentApproved", "EntitlementsDecided"]:
            self.assertIn(kind, kinds)
        topics = {link.position.split("/")[0] for link in explanation.chain}
        self.assertIn("ristoro.subscriber.v1", topics, "the chain begins at the roster")
        actors = {link.type: link.actor for link in explanation.chain}
        self.assertEqual(actors["AssessmentApproved"], "bruno")


if __name__ == "__main__":
    unittest.main()
