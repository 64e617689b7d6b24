// An app on Slack's own JavaScript SDK, run against the fake. Reads its settings from the environment, prints one JSON
// line per thing that happened, and "ready" when it listens.
import { createRequire } from "node:module";

const require = createRequire(process.env.PEER_MODULES + "/");
const { App, HTTPReceiver } = require("@slack/bolt");

const say = (what, more = {}) => console.log(JSON.stringify({ what, ...more }));
const http = process.env.PEER_MODE === "http";
const app = new App({
  token: process.env.PEER_BOT_TOKEN,
  clientOptions: { slackApiUrl: process.env.PEER_API_URL, retryConfig: { retries: 1, minTimeout: 10 } },
  logLevel: "error",
  ...(http
    ? { receiver: new HTTPReceiver({ signingSecret: process.env.PEER_SECRET, endpoints: "/slack/events" }) }
    : { appToken: process.env.PEER_APP_TOKEN, socketMode: true }),
});

const modal = (title) => ({
  type: "modal",
  callback_id: "form",
  title: { type: "plain_text", text: title },
  submit: { type: "plain_text", text: "Send" },
  blocks: [
    {
      type: "input",
      block_id: "reason",
      label: { type: "plain_text", text: "Why" },
      element: { type: "plain_text_input", action_id: "value" },
    },
    {
      type: "input",
      block_id: "resource",
      label: { type: "plain_text", text: "What" },
      element: { type: "external_select", action_id: "pick", min_query_length: 0 },
    },
  ],
});

app.command("/hoop", async ({ command, ack, client, respond }) => {
  await ack();
  if (command.text === "form") {
    const opened = await client.views.open({ trigger_id: command.trigger_id, view: modal("First") });
    await client.views.update({ view_id: opened.view.id, hash: opened.view.hash, view: modal("Second") });
  } else if (command.text === "card") {
    const posted = await client.chat.postMessage({
      channel: command.channel_id,
      text: "a card",
      blocks: [
        {
          type: "actions",
          elements: [{ type: "button", action_id: "go", text: { type: "plain_text", text: "Go" }, value: "tok" }],
        },
      ],
    });
    await client.chat.postMessage({ channel: command.channel_id, text: "in thread", thread_ts: posted.ts });
    await client.files.uploadV2({
      channel_id: command.channel_id,
      thread_ts: posted.ts,
      filename: "rows.csv",
      content: "a,b\n1,2\n",
    });
    await client.chat.postEphemeral({ channel: command.channel_id, user: command.user_id, text: "psst" });
  } else {
    await respond(`echo ${command.text}`);
  }
  say("command", { text: command.text });
});

app.action("go", async ({ ack, body, action, client }) => {
  await ack();
  await client.chat.update({ channel: body.channel.id, ts: body.message.ts, text: "pressed", blocks: [] });
  say("action", { value: action.value });
});

app.view("form", async ({ ack, view }) => {
  const reason = view.state.values.reason.value.value;
  if (reason.length < 5) await ack({ response_action: "errors", errors: { reason: "too short" } });
  else await ack();
  say("view", { reason });
});

app.options("pick", async ({ ack, payload }) => {
  await ack({ options: [{ text: { type: "plain_text", text: payload.value + "-db" }, value: "prod-db" }] });
});

app.shortcut("request", async ({ ack, shortcut, client }) => {
  await ack();
  await client.views.publish({
    user_id: shortcut.user.id,
    view: { type: "home", blocks: [{ type: "section", text: { type: "mrkdwn", text: "home" } }] },
  });
  say("shortcut");
});

app.event("app_mention", async ({ event, client }) => {
  const who = await client.users.info({ user: event.user });
  say("mention", { name: who.user.name });
});

app.error(async (error) => say("error", { message: error.message }));

const server = await app.start(http ? { port: Number(process.env.PEER_PORT), host: "127.0.0.1" } : undefined);
say("ready", { server: Boolean(server) });
process.stdin.on("end", () => process.exit(0)).resume();
