"""Generated stubs: the protos compiled once for a run, into a folder that goes with it."""

import atexit
import shutil
import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parents[2]
PROTOS = ROOT / "proto"


def _generate():
    folder = tempfile.mkdtemp(prefix="ristoro-stubs-")
    atexit.register(shutil.rmtree, folder)
    # `google/` comes from PyPI's googleapis-common-protos, as in any client.
    files = sorted(str(path.relative_to(PROTOS)) for path in PROTOS.glob("ristoro/**/*.proto"))
    well_known = Path(protoc.__file__).parent / "_proto"
    arguments = ["protoc", f"-I{PROTOS}", f"-I{well_known}", f"--python_out={folder}",
                 f"--grpc_python_out={folder}", *files]
    if protoc.main(arguments) != 0:
        raise SystemExit("protoc cannot compile the protos")
    sys.path.insert(0, folder)


_generate()

# pylint: disable=wrong-import-position
from google.type import money_pb2 as money  # noqa: E402
from ristoro.eligibility.v1 import assessment_service_pb2 as assessment  # noqa: E402
from ristoro.eligibility.v1 import assessment_service_pb2_grpc as assessment_grpc  # noqa: E402
from ristoro.eligibility.v1 import entitlement_service_pb2 as entitlement  # noqa: E402
from ristoro.eligibility.v1 import entitlement_service_pb2_grpc as entitlement_grpc  # noqa: E402
from ristoro.eligibility.v1 import events_pb2 as subscriber  # noqa: E402
from ristoro.eligibility.v1 import policy_service_pb2 as policy  # noqa: E402
from ristoro.eligibility.v1 import policy_service_pb2_grpc as policy_grpc  # noqa: E402
from ristoro.eligibility.v1 import subscription_service_pb2 as subscription  # noqa: E402
from ristoro.eligibility.v1 import subscription_service_pb2_grpc as subscription_grpc  # noqa: E402
from ristoro.ops.v1 import errors_pb2 as errors  # noqa: E402
from ristoro.outage.v1 import events_pb2 as outage_events  # noqa: E402
from ristoro.outage.v1 import outage_service_pb2 as outage  # noqa: E402
from ristoro.outage.v1 import outage_service_pb2_grpc as outage_grpc  # noqa: E402

__all__ = [
    "assessment", "assessment_grpc", "entitlement", "entitlement_grpc", "errors", "money", "outage",
    "outage_events", "outage_grpc", "policy", "policy_grpc", "subscriber", "subscription",
    "subscription_grpc",
]
