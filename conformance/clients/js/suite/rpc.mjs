// Calls to the backend.
import { equal, has, ok, refused } from "./check.mjs";
import { next } from "./events.mjs";

export const cases = {
  "a call is answered": async (world) => {
    const [client, { client: id }] = await world.connected({ user: world.own("ann"), claims: { meta: { plan: "gold" } } });
    const value = { text: "hé 👋", list: [1, null, { a: true }] };
    equal(world.unpack((await client.rpc("echo", world.pack(value))).data), value);
    const [question] = await world.rig("asked", { like: { hook: "rpc", client: id } });
    has(question, { method: "echo", user: world.own("ann"), data: value, meta: { plan: "gold" } });
  },

  "calls at once are each given their own answer": async (world) => {
    const [client] = await world.connected();
    const answers = await Promise.all(Array.from({ length: 50 }, (_, n) => client.rpc("echo", world.pack(n))));
    equal(answers.map(({ data }) => world.unpack(data)), Array.from({ length: 50 }, (_, n) => n));
  },

  "errors of the backend are the client's": async (world) => {
    const [client] = await world.connected();
    const asked = (backend) => client.rpc("x", world.pack({ backend }));
    const error = await refused(asked({ reply: { error: { code: 1400, message: "wrong é" } } }), 1400);
    equal(error.message, "wrong é");
    for (const backend of [{ status: 500 }, { status: 404 }, { delay: 4000 }, { reply: [] }, { reply: { error: { code: 7 } } }]) {
      const failed = await refused(asked(backend), 100, JSON.stringify(backend));
      ok(failed.temporary, "a failure of the backend is temporary");
    }
    equal(world.unpack((await client.rpc("echo", world.pack(1))).data), 1);
    equal(client.state, "connected");
  },

  "an unknown method is none": async (world) => {
    const [client] = await world.connected();
    await refused(client.rpc("nowhere:echo", world.pack(1)), 104);
  },

  "the backend ends a connection": async (world) => {
    const [client] = await world.connected();
    const disconnected = next(client, "disconnected");
    client.rpc("x", world.pack({ backend: { reply: { disconnect: { code: 4800, reason: "enough" } } } })).catch(() => {});
    has(await disconnected, { code: 4800, reason: "enough" });
  },
};
