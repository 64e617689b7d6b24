"""files.*: the version 2 upload (reserve, upload, complete) and download with the token."""

from __future__ import annotations

from aiohttp import web

from tests.fakes.slack.model import Json, Message, SlackError, StoredFile
from tests.fakes.slack.registry import Api, method


@method("files.upload", "files:write", per_minute=20)
async def upload(api: Api) -> Json:
    raise SlackError("method_deprecated")


@method("files.getUploadURLExternal", "files:write", per_minute=100)
async def reserve(api: Api) -> Json:
    name, length = api.args.text("filename"), api.args.number("length", 0)
    if length <= 0:
        raise SlackError("invalid_arguments", response_metadata={"messages": ["length must be positive"]})
    file = StoredFile(api.workspace.id("F"), name, length, api.owner.user, secret=api.workspace.id("S"))
    api.workspace.files[file.id] = file
    return {"upload_url": f"{api.slack.url}/upload/v1/{file.id}/{file.secret}", "file_id": file.id}


@method("files.completeUploadExternal", "files:write", per_minute=100)
async def complete(api: Api) -> Json:
    wanted = api.args.structure("files") or []
    found = []
    for one in wanted:
        file = api.workspace.files.get(one.get("id", ""))
        if file is None or file.data is None or file.completed:
            raise SlackError("file_not_found")
        found.append((file, one.get("title", file.name)))
    if not found:
        raise SlackError("no_files_provided")
    names = api.args.names("channels") or api.args.names("channel_id")
    channels = [api.workspace.channel(name) for name in names]
    for channel in channels:
        if channel.archived:
            raise SlackError("is_archived")
        if api.owner.user not in channel.members:
            raise SlackError("not_in_channel" if not channel.private else "channel_not_found")
    for file, title in found:
        file.completed, file.title = True, title
        file.channels += [channel.id for channel in channels]
    bot = api.workspace.users[api.owner.user]
    for channel in channels:
        channel.messages.append(
            Message(
                ts=api.workspace.ts(),
                channel=channel.id,
                user=bot.id,
                text=api.args.text("initial_comment", ""),
                thread=api.args.text("thread_ts", ""),
                bot_id=bot.bot_id,
                app=bot.app,
                files=[file.id for file, _ in found],
            )
        )
    return {"files": [_info(api, file) for file, _ in found]}


@method("files.info", "files:read")
async def info(api: Api) -> Json:
    file = api.workspace.files.get(api.args.text("file"))
    if file is None or not file.completed:
        raise SlackError("file_not_found")
    return {"file": _info(api, file)}


@method("files.delete", "files:write", per_minute=50)
async def delete(api: Api) -> Json:
    file = api.workspace.files.get(api.args.text("file"))
    if file is None or not file.completed:
        raise SlackError("file_not_found")
    if file.user != api.owner.user:
        raise SlackError("cant_delete_file")
    del api.workspace.files[file.id]
    for channel in api.workspace.channels.values():
        for message in channel.messages:
            message.files = [name for name in message.files if name != file.id]
    return {}


def _info(api: Api, file: StoredFile) -> Json:
    return {
        "id": file.id,
        "name": file.name,
        "title": file.title,
        "size": len(file.data or b""),
        "channels": file.channels,
        "url_private": f"{api.slack.url}/files-pri/{file.id}/{file.name}",
    }


async def receive(files: dict[str, StoredFile], request: web.Request) -> web.Response:
    """The upload address: raw bytes or multipart."""
    file = files.get(request.match_info["file"])
    if file is None or file.secret != request.match_info["secret"] or file.data is not None:
        return web.Response(status=404, text="not found")
    if request.content_type == "multipart/form-data":
        form = await request.post()
        part = form.get("file") or form.get("filename") or next(iter(form.values()), None)
        data = part.file.read() if isinstance(part, web.FileField) else str(part or "").encode()
    else:
        data = await request.read()
    if len(data) != file.length:
        return web.Response(status=400, text=f"expected {file.length} bytes, got {len(data)}")
    file.data = data
    return web.Response(text=f"OK - {len(data)}")
