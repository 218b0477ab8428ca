// Every case, for one transport and encoding.
import * as connect from "./connect.mjs";
import * as delta from "./delta.mjs";
import * as filter from "./filter.mjs";
import * as history from "./history.mjs";
import * as presence from "./presence.mjs";
import * as publish from "./publish.mjs";
import * as recovery from "./recovery.mjs";
import * as restart from "./restart.mjs";
import * as rpc from "./rpc.mjs";
import * as serverSide from "./server_side.mjs";
import * as subscribe from "./subscribe.mjs";
import * as time from "./time.mjs";
import { World } from "./world.mjs";

// Those that wait for time to pass come first: they run beside the others.
const CHAPTERS = { time, restart, connect, subscribe, publish, presence, history, recovery, delta, filter, rpc, "server side": serverSide };

/** The ways there are: SSE carries text. */
export const WAYS = [
  { transport: "websocket", encoding: "json" },
  { transport: "websocket", encoding: "protobuf" },
  { transport: "http_stream", encoding: "json" },
  { transport: "http_stream", encoding: "protobuf" },
  { transport: "sse", encoding: "json" },
];

/**
 * The cases: `{name, run}` each. `packages` and `rig` are the world's, `way` is one of WAYS. `only` has words, one of which is
 * in the name, where not all are wanted.
 */
export function cases(packages, rig, way, { isLong = false, only = [] } = {}) {
  const { transport, encoding } = way;
  const over = transport === "websocket" ? "" : ` over ${transport}`;
  const all = Object.entries(CHAPTERS).flatMap(([chapter, { cases: both, protobufCases = {} }]) =>
    Object.entries({ ...both, ...(encoding === "protobuf" ? protobufCases : {}) }).map(([name, act]) => ({
      name: `${encoding}${over}, ${chapter}: ${name}`,
      async run() {
        const world = new World(packages, rig, way, isLong);
        try {
          await act(world);
        } finally {
          world.end();
        }
      },
    })),
  );
  return all.filter(({ name }) => !only.length || only.some((word) => name.includes(word)));
}
