// Of a run of node:test: one entry for each failure, and `N passed, N failed` at the end.
export default async function* report(events) {
  let [passed, failed] = [0, 0];
  for await (const { type, data } of events) {
    if (data?.details?.type === "suite") continue;
    if (type === "test:pass") passed += 1;
    if (type === "test:fail") {
      failed += 1;
      const error = data.details.error?.cause ?? data.details.error;
      yield `FAILED ${data.name}\n       ${error?.name === "Wrong" ? error.message : (error?.stack ?? error?.message ?? error)}\n`;
    }
    if (type === "test:stderr") yield data.message;
  }
  yield `${passed} passed, ${failed} failed\n`;
}
