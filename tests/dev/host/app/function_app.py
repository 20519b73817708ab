"""A function app that shows what the host did to it: every run is a line of JSON in the file RECORD names."""

from __future__ import annotations

import asyncio
import json
import os
import time
from typing import Any

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)


def record(function: str, **facts: Any) -> None:
    line = json.dumps({"function": function, "at": time.monotonic(), **facts})
    with open(os.environ["RECORD"], "a", encoding="utf-8") as file:
        file.write(line + "\n")


def answer(function: str, request: func.HttpRequest) -> func.HttpResponse:
    seen = {
        "function": function,
        "method": request.method,
        "url": request.url,
        "params": dict(request.route_params),
        "query": dict(request.params),
        "headers": dict(request.headers),
        "body": request.get_body().decode(),
    }
    return func.HttpResponse(json.dumps(seen), mimetype="application/json")


@app.route(route="{*path}", methods=["GET", "POST"])
async def pages(req: func.HttpRequest) -> func.HttpResponse:
    return answer("pages", req)


@app.route(route="api/things/{*rest}", methods=["GET", "POST"])
async def things(req: func.HttpRequest) -> func.HttpResponse:
    return answer("things", req)


@app.route(route="api/things/{name}/parts", methods=["GET"])
def parts(req: func.HttpRequest) -> func.HttpResponse:  # not async: the runtime runs it in a thread
    return answer("parts", req)


@app.route(route="api/things/special/parts", methods=["GET"])
async def special(req: func.HttpRequest) -> func.HttpResponse:
    return answer("special", req)


@app.route(route="api/failure", methods=["GET"])
async def failure(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("this is the function's own failure")


@app.route(route="api/cookies", methods=["GET"])
async def cookies(req: func.HttpRequest) -> func.HttpResponse:
    response = func.HttpResponse(status_code=201)
    response.headers.add("Link", "<first>")
    response.headers.add("Link", "<last>")
    response.headers.add("Set-Cookie", "session=a=b/c; Path=/; HttpOnly; SameSite=Lax; Max-Age=60")
    response.headers.add("Set-Cookie", "theme=dark; Path=/; Secure")
    return response


@app.route(route="api/plain", methods=["GET"])
async def plain(req: func.HttpRequest) -> str:
    return "plain text"


@app.route(route="api/slow", methods=["GET"])
async def slow(req: func.HttpRequest) -> func.HttpResponse:
    record("slow")
    await asyncio.sleep(float(req.params["seconds"]))
    return func.HttpResponse("done")


@app.queue_trigger(arg_name="message", queue_name="%QUEUE%", connection="AzureWebJobsStorage")
@app.queue_output(arg_name="result", queue_name="%QUEUE%-results", connection="AzureWebJobsStorage")
async def work(message: func.QueueMessage, result: func.Out[str]) -> None:
    order = message.get_json()
    record(
        "work", order=order["id"], tries=message.dequeue_count, inserted=str(message.insertion_time)
    )
    await asyncio.sleep(order.get("seconds", 0))
    if message.dequeue_count <= order.get("failures", 0):
        raise ValueError(f"failure {message.dequeue_count} of {order['failures']}")
    result.set(f"done {order['id']}")
    record("worked", order=order["id"])


@app.queue_trigger(
    arg_name="message", queue_name="%QUEUE%-poison", connection="AzureWebJobsStorage"
)
async def poisoned(message: func.QueueMessage) -> None:
    record("poisoned", body=message.get_body().decode(), tries=message.dequeue_count)


@app.timer_trigger(arg_name="timer", schedule="%SCHEDULE%")
async def beat(timer: func.TimerRequest) -> None:
    record("beat", past_due=timer.past_due)
    await asyncio.sleep(float(os.environ.get("BEAT_SECONDS", "0")))
    record("beaten")
