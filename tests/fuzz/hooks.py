"""
Signs the fuzzer in, and tells it which refusals no schema can foresee. What it does may end its own session, so that a
token is proven before it is used again.
"""

import json
import os
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import schemathesis
from schemathesis.specs.openapi.checks import positive_data_acceptance

URL = os.environ["FUZZ_URL"]
ROLE = os.environ["FUZZ_ROLE"]
PASSWORD = "correct horse battery"

people = 0


def call(method, path, body=None, headers={}):
    request = urllib.request.Request(URL + path, body, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def register():
    """A new account of the role, and its address."""
    global people
    people += 1
    email = f"fuzz-{ROLE}-{os.getpid()}-{people}@example.com"
    if ROLE == "admin":
        command = [*json.loads(os.environ["FUZZ_ADMIN_CREATE"]), email, "--password-stdin"]
        subprocess.run(command, input=PASSWORD, text=True, check=True, capture_output=True)
    else:
        account = json.dumps({"email": email, "name": "Fuzz", "password": PASSWORD}).encode()
        call("POST", "/api/v1/users/", account, {"content-type": "application/json"})
    return email


def sign_in(email):
    form = urllib.parse.urlencode({"username": email, "password": PASSWORD}).encode()
    return call("POST", "/api/v1/auth/token", form)["access_token"]


def stands(token):
    """Whether the token still opens what its role may see."""
    try:
        me = call("GET", "/api/v1/users/me", headers={"authorization": f"Bearer {token}"})
        return me["role"] == ROLE
    except urllib.error.HTTPError:
        return False


if ROLE != "nobody":

    @schemathesis.auth(refresh_interval=None)
    class Bearer:
        token = None

        def get(self, case, context):
            if Bearer.token is None or not stands(Bearer.token):
                Bearer.token = sign_in(register())
            return Bearer.token

        def set(self, case, data, context):
            case.headers = {**(case.headers or {}), "Authorization": f"Bearer {data}"}


@schemathesis.hook
def filter_case(context, case):
    """Drops what never reaches the program: the engine answers 431 to a head of more than 16 kB."""
    head = len(urllib.parse.quote(case.path)) + len(urllib.parse.urlencode(case.query or {}, doseq=True))
    return head + sum(len(name) + len(str(value)) for name, value in (case.headers or {}).items()) < 12_000


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    """A record for each line; here, one."""
    return value if isinstance(value, bytes) else (value if isinstance(value, str) else json.dumps(value)).encode()


keys = 0


@schemathesis.hook
def before_call(context, case, kwargs):
    """Gives each call a key of its own: a repeated one is answered as the first call was, also when its item is gone."""
    global keys
    name = next((name for name in case.headers or {} if name.lower() == "idempotency-key"), None)
    if name is not None and re.fullmatch(r"[\x21-\x7e]{1,200}", str(case.headers[name])):
        keys += 1
        case.headers[name] = f"{case.headers[name]}-{keys}"


# Of a request that fits its schema, the `code` by which an operation may still refuse it: it depends on what the server
# holds. Statuses 401, 403, 404 and 409 are of this kind everywhere.
LIST = {"invalid_cursor", "page_too_deep"}  # a cursor is a word of ours; only long lists have deep pages
CREATION = {"idempotency_mismatch"}  # a key may have been used before
VERSION = {"version_mismatch"}  # a tag is of a version that may be gone
DATA = {"data_too_large", "number_not_exact"}  # a schema knows neither bytes nor doubles
REFUSALS = {
    "registerUser": CREATION | {"email_taken", "weak_password"},
    "updateMe": {"email_taken", "wrong_password", "password_required"},
    "updateUser": {"email_taken", "wrong_password", "password_required"},
    "changePassword": {"wrong_password", "weak_password"},
    "deleteMe": {"wrong_password", "password_required"},
    "deleteUser": {"wrong_password", "password_required"},
    "createToken": {"invalid_grant", "invalid_request"},  # which field is needed depends on grant_type
    "createFirstAdmin": {"invalid_link", "weak_password"},
    "verifyEmail": {"invalid_link"},
    "resetPassword": {"invalid_link", "weak_password"},
    "listUsers": LIST,
    "listSessions": LIST,
    "listUserSessions": LIST,
    "endUserSessions": {"inactive_user"},
    "listItems": LIST,
    "listCollections": LIST,
    # Which fields a record has, and which rules a definition, is known to the server alone.
    "batchRecords": CREATION | DATA | VERSION | {"validation_failed"},
    "putCollection": DATA | VERSION | {"validation_failed"},
    "checkCollection": DATA,
    "deleteCollection": VERSION,
    "listFiles": LIST,
    "listFileLinks": LIST,
    "listJobs": LIST,
    "listAuditEntries": LIST,
    "createItem": CREATION | DATA,
    "batchItems": CREATION | DATA | VERSION,
    "updateItem": DATA | VERSION,
    "deleteItem": VERSION,
    "getItemHistory": {"invalid_cursor"},
    "revertItem": VERSION,
    "uploadFile": CREATION | {"invalid_file_type"},
    "createFileLink": CREATION,
    "listBackups": LIST,
    "createBackup": CREATION,
    "createBackupLink": CREATION,
}


def code_of(response):
    try:
        return response.json().get("code")
    except ValueError:
        return None


def is_about_expressions(response):
    """Whether nothing but a filter, or the references to expand, was refused: no schema says which fields there are."""
    faults = response.json().get("errors", []) if code_of(response) == "validation_failed" else []
    return len(faults) > 0 and all(fault["pointer"] in ("/filter", "/expand") for fault in faults)


@schemathesis.check
def accepts_what_fits_the_schema(ctx, response, case):
    operation = case.operation.definition.raw.get("operationId")
    if code_of(response) in REFUSALS.get(operation, ()) or is_about_expressions(response):
        return None
    return positive_data_acceptance(ctx, response, case)
