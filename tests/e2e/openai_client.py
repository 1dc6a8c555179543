"""What a program that uses OpenAI's SDK does; prints what came of it as JSON.

    openai_client.py URL SCENE…
"""

import array
import json
import sys

import openai
from openai.lib.streaming.chat import ChatCompletionStreamState

client = openai.OpenAI(base_url=f"{sys.argv[1]}/v1", api_key="sk-test", max_retries=0)
chat = client.chat.completions
WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def ask(content, model="default", **more):
    messages = content if isinstance(content, list) else [{"role": "user", "content": content}]
    return {"model": model, "messages": messages, "temperature": 0, "max_tokens": 64} | more


def plain(request):
    raw = chat.with_raw_response.create(**request)
    return raw.headers.get("cache-status"), raw.parse()


def streamed(request):
    """The whole answer, as the SDK puts it together from a stream."""
    raw = chat.with_raw_response.create(**request, stream=True, stream_options={"include_usage": True})
    state = ChatCompletionStreamState()
    for chunk in raw.parse():
        state.handle_chunk(chunk)
    return raw.headers.get("cache-status"), state.get_final_completion()


def message(answer):
    return answer.choices[0].message


def basics():
    """One question three times: whole, streamed, and the other way round."""
    request = ask("What is the capital of France?")
    other = ask("What is the capital of France? ")
    seen = [plain(request), streamed(request), streamed(other), plain(other)]
    try:
        chat.create(**ask("Hi!", temperature=9))
        refusal = None
    except openai.BadRequestError as error:
        refusal = error.message
    return {
        "statuses": [status for status, _ in seen],
        "texts": [message(answer).content for _, answer in seen],
        "tokens": [[answer.usage.prompt_tokens, answer.usage.completion_tokens] for _, answer in seen],
        "refusal": refusal,
    }


def tools():
    """A tool is called and its result told, whole and streamed; the second time from the cache."""
    question = ask("What is the weather in Paris?", tools=[WEATHER])
    rounds = []
    for form in [plain, streamed, plain]:
        _, first = form(question)
        call = message(first).tool_calls[0]
        result = {"role": "tool", "tool_call_id": call.id, "content": "21 degrees"}
        turns = [*question["messages"], message(first).model_dump(exclude_none=True), result]
        _, second = form(question | {"messages": turns})
        rounds.append(
            {
                "stop": first.choices[0].finish_reason == "tool_calls",
                "id": call.id,
                "name": call.function.name,
                "input": json.loads(call.function.arguments),
                "answer": message(second).content,
            }
        )
    return rounds


def wanted_tool():
    """A call that the request wants, whole and streamed."""
    choice = {"type": "function", "function": {"name": "get_weather"}}
    question = ask("What is the weather in Paris?", tools=[WEATHER], tool_choice=choice, parallel_tool_calls=False)
    calls = [message(form(question)[1]).tool_calls for form in (plain, streamed)]
    return [[call.function.name for call in answer] for answer in calls]


def variants():
    """Several answers at once, with the probabilities of their tokens."""
    answer = plain(ask("What is the capital of France?", n=2, logprobs=True, top_logprobs=2, max_tokens=3))[1]
    return [
        {
            "text": choice.message.content,
            "tokens": [token.token for token in choice.logprobs.content],
            "others": [len(token.top_logprobs) for token in choice.logprobs.content],
        }
        for choice in answer.choices
    ]


def images():
    parts = [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
    ]
    return message(plain(ask([{"role": "user", "content": parts}]))[1]).content


def thinking():
    request = ask("Think first.", reasoning_effort="low")
    answers = [message(form(request)[1]) for form in (plain, streamed)]
    return [[answer.reasoning_content, answer.content] for answer in answers]


def errors():
    names = []
    for status in [400, 401, 403, 404, 429, 500]:
        try:
            chat.create(**ask("Hi!", model=f"fails-{status}"))
        except openai.APIStatusError as error:
            names.append([error.status_code, type(error).__name__, "as scripted" in error.message])
    return names


def models():
    listed = [model.id for model in client.models.list()]
    return {"listed": listed, "retrieved": [client.models.retrieve(name).id for name in listed]}


def completions():
    request = {"model": "default", "prompt": "The capital of France is", "max_tokens": 4, "temperature": 0}
    whole = client.completions.create(**request)
    stream = client.completions.create(**request, stream=True)
    return [whole.choices[0].text, "".join(chunk.choices[0].text for chunk in stream if chunk.choices)]


def embeddings():
    """The SDK asks for base64 unless it is told otherwise."""
    answers = [
        client.embeddings.create(model="default", input=["France"], encoding_format=form)
        for form in ("float", "float")
    ]
    return [answer.data[0].embedding for answer in answers]


def engine_embeddings():
    """Base64, which the SDK asks for and decodes by itself, and floats: both as numbers of 32 bits."""
    create = client.embeddings.create
    vectors = {}
    for name, more in {"default": {}, "float": {"encoding_format": "float"}}.items():
        answer = create(model="default", input=["France", "Paris"], **more)
        vectors[name] = [list(array.array("f", item.embedding)) for item in answer.data]
    short = create(model="default", input="France", dimensions=8)
    try:
        create(model="default", input="")
        refusal = None
    except openai.BadRequestError as error:
        refusal = error.param
    return vectors | {"dimensions": len(short.data[0].embedding), "refusal": refusal}


print(json.dumps({scene: globals()[scene]() for scene in sys.argv[2:]}))
