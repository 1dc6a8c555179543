"""What a program that uses Anthropic's SDK does; prints what came of it as JSON.

    anthropic_client.py URL SCENE…
"""

import json
import sys

import anthropic

client = anthropic.Anthropic(base_url=sys.argv[1], api_key="sk-ant-test", max_retries=0)
WEATHER = {
    "name": "get_weather",
    "description": "The weather in a city.",
    "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def ask(content, model="default", temperature=0, **more):
    """A request. The SDK knows no temperature any more, and passes it all the same."""
    messages = content if isinstance(content, list) else [{"role": "user", "content": content}]
    body = {"temperature": temperature}
    return {"model": model, "messages": messages, "max_tokens": 64, "extra_body": body} | more


def plain(request):
    raw = client.messages.with_raw_response.create(**request)
    return raw.headers.get("cache-status"), raw.parse()


def streamed(request):
    """The whole answer, as the SDK puts it together from a stream."""
    with client.messages.stream(**request) as stream:
        return stream.response.headers.get("cache-status"), stream.get_final_message()


def block(answer, kind):
    return next(block for block in answer.content if block.type == kind)


def text(answer):
    return block(answer, "text").text


def read(usage):
    """All tokens of the prompt, those that the server knew from before included."""
    return usage.input_tokens + (usage.cache_read_input_tokens or 0)


def basics():
    """One question three times: whole, streamed, and the other way round."""
    request = ask("What is the capital of France?")
    other = ask("What is the capital of France? ")
    seen = [plain(request), streamed(request), streamed(other), plain(other)]
    try:
        client.messages.create(**ask("Hi!", temperature=9))
        refusal = None
    except anthropic.BadRequestError as error:
        refusal = error.message
    return {
        "statuses": [status for status, _ in seen],
        "texts": [text(answer) for _, answer in seen],
        "tokens": [[read(answer.usage), answer.usage.output_tokens] for _, answer in seen],
        "refusal": refusal,
    }


def tools():
    """A tool is called and its result told, whole and streamed; the second time from the cache."""
    question = ask("What is the weather in Paris?", tools=[WEATHER])
    rounds = []
    for form in [plain, streamed, plain]:
        _, first = form(question)
        call = block(first, "tool_use")
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "21 degrees"}
        turns = [
            *question["messages"],
            {"role": "assistant", "content": [block.to_dict() for block in first.content]},
            {"role": "user", "content": [result]},
        ]
        _, second = form(question | {"messages": turns})
        rounds.append(
            {
                "stop": first.stop_reason == "tool_use",
                "id": call.id,
                "name": call.name,
                "input": call.input,
                "answer": text(second),
            }
        )
    return rounds


def wanted_tool():
    """A call that the request wants, whole and streamed."""
    choice = {"type": "tool", "name": "get_weather", "disable_parallel_tool_use": True}
    question = ask("What is the weather in Paris?", tools=[WEATHER], tool_choice=choice)
    answers = [form(question)[1] for form in (plain, streamed)]
    return [[block.name for block in answer.content if block.type == "tool_use"] for answer in answers]


def images():
    source = {"type": "base64", "media_type": "image/png", "data": PIXEL}
    parts = [{"type": "text", "text": "What is this?"}, {"type": "image", "source": source}]
    return text(plain(ask([{"role": "user", "content": parts}]))[1])


def thinking():
    wanted = {"type": "enabled", "budget_tokens": 1024}
    request = ask("Think first.", thinking=wanted, max_tokens=2048, temperature=1)
    answers = [form(request)[1] for form in (plain, streamed)]
    return [[block(answer, "thinking").thinking, text(answer)] for answer in answers]


def errors():
    names = []
    for status in [400, 401, 403, 404, 429, 500]:
        try:
            client.messages.create(**ask("Hi!", model=f"fails-{status}"))
        except anthropic.APIStatusError as error:
            names.append([error.status_code, type(error).__name__, "as scripted" in error.message])
    return names


def models():
    listed = [model.id for model in client.models.list()]
    return {"listed": listed, "retrieved": [client.models.retrieve(name).id for name in listed]}


def count():
    request = ask("What is the capital of France?")
    counted = client.messages.count_tokens(model=request["model"], messages=request["messages"])
    return counted.input_tokens


print(json.dumps({scene: globals()[scene]() for scene in sys.argv[2:]}))
