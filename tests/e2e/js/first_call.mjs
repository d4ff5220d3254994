// The programs of /docs/quickstart/, in one: a whole answer, then a streamed one.
import OpenAI from "openai";

const client = new OpenAI({
  baseURL: process.env.FLO2_BASE_URL,
  apiKey: process.env.FLO2_API_KEY,
});
const messages = [{ role: "user", content: "Say hi" }];

const { data: answer, response } = await client.chat.completions
  .create({ model: "auto", messages })
  .withResponse();

let text = "";
let pieces = 0;
let usage = null;
const stream = await client.chat.completions.create({
  model: "auto",
  messages,
  stream: true,
  stream_options: { include_usage: true },
});
for await (const chunk of stream) {
  const piece = chunk.choices[0]?.delta?.content ?? "";
  text += piece;
  pieces += piece ? 1 : 0;
  usage = chunk.usage ?? usage;
}

let refusal = null;
try {
  await client.chat.completions.create({ model: "no-such-model", messages });
} catch (error) {
  refusal = { name: error.constructor.name, status: error.status, code: error.code };
}

const whole = {
  content: answer.choices[0].message.content,
  usage: answer.usage,
  provider: response.headers.get("x-flo2-provider"),
};
console.log(JSON.stringify({ whole, streamed: { text, pieces, usage }, refusal }));
