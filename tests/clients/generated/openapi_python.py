"""The whole round through the client that openapi-python-client makes, a package named client; see Round in the test.

python3 openapi_python.py URL EMAIL PICTURE
"""

import json
import sys
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from client import AuthenticatedClient, Client
from client.api.auth import create_token
from client.api.files import create_file_link, get_file_content, upload_file
from client.api.items import batch_items, create_item, list_items, update_item
from client.api.lists import create_list
from client.api.tasks import create_task, get_task
from client.api.users import register_user
from client.models import (
    FileLinkCreate,
    FileUpload,
    ItemBatch,
    ItemBatchCreate,
    ItemBatchDelete,
    ItemBatchUpdate,
    ItemCreate,
    ItemUpdate,
    ListCreate,
    TaskCreate,
    TokenRequest,
    TokenRequestGrantType,
    UserCreate,
)
from client.types import UNSET, File

base_url, email, picture = sys.argv[1:]
password = "correct horse"
anonymous = Client(base_url=base_url, raise_on_unexpected_status=True)


def token(body):
    return create_token.sync(client=anonymous, body=body)


user = register_user.sync(client=anonymous, body=UserCreate(email=email, name="Ann", password=password))
pair = token(TokenRequest(username=email, password=password))
renewed = token(TokenRequest(grant_type=TokenRequestGrantType.REFRESH_TOKEN, refresh_token=pair.refresh_token))
client = AuthenticatedClient(base_url=base_url, token=renewed.access_token, raise_on_unexpected_status=True)

for title in ["one", "two", "three"]:
    answer = create_item.sync_detailed(client=client, body=ItemCreate.from_dict({"title": title, "data": {title: [1, None]}}))
    assert answer.status_code == 201, answer

listed = []
cursor = UNSET
while cursor is not None:
    page = list_items.sync(client=client, size=2, sort=list_items.ListItemsSort.CREATED_AT, cursor=cursor)
    listed += [item.title for item in page.items]
    cursor = page.next_cursor

created = create_item.sync_detailed(client=client, body=ItemCreate(title="four", description=None))
item = created.parsed.id
etag = created.headers["ETag"]
updated = update_item.sync(item, client=client, if_match=etag, body=ItemUpdate(title="fourth"))
conflict = update_item.sync_detailed(item, client=client, if_match=etag, body=ItemUpdate(title="lost"))

operations = [
    ItemBatchCreate.from_dict({"op": "create", "title": "five", "data": {}}),
    ItemBatchUpdate.from_dict({"op": "update", "id": item, "version": updated.version, "description": "in a batch"}),
    ItemBatchDelete.from_dict({"op": "delete", "id": item}),
]
batch = batch_items.sync(client=client, body=ItemBatch(operations=operations))

groceries = create_list.sync(client=client, body=ListCreate(name="Groceries"))
milk = create_task.sync(client=client, body=TaskCreate.from_dict({"title": "Milk", "list": groceries.id}))
task = get_task.sync(milk.id, client=client, expand="list.owner").to_dict()
expanded = task["expanded"]["list"]

content = BytesIO(Path(picture).read_bytes())
file = upload_file.sync(client=client, body=FileUpload(file=File(content, "dot.png", "image/png")))
part = get_file_content.sync_detailed(file.id, client=client, range_="bytes=1-3")

link = create_file_link.sync(file.id, client=client, body=FileLinkCreate(expires_in=60))
shared = get_file_content.sync(file.id, client=anonymous, **dict(parse_qsl(urlsplit(link.url).query)))

print(
    json.dumps(
        {
            "user": user.email,
            "refreshed": renewed.access_token != pair.access_token,
            "listed": listed,
            "updated": {"title": updated.title, "version": updated.version},
            "conflict": {"status": conflict.status_code, "code": conflict.parsed.code},
            "batch": [None if result is None else result.title for result in batch.results],
            "task": {
                "title": task["title"],
                "list": expanded["name"],
                "owner": expanded["expanded"]["owner"]["name"],
            },
            "file": {"filename": file.filename, "content_type": file.content_type, "size": file.size},
            "part": {
                "status": part.status_code,
                "range": part.headers["Content-Range"],
                "bytes": list(part.parsed.payload.read()),
            },
            "shared": list(shared.payload.read()),
        }
    )
)
