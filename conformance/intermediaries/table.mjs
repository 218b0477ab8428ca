// What is expected, what was seen, and the table of both.
import { readFile } from "node:fs/promises";

/** What does not work: `{intermediary, transport, reason}` for each line of the file. */
export async function expectations(file) {
  const lines = (await readFile(file, "utf8")).split("\n").filter((line) => line.trim() && !line.startsWith("#"));
  return lines.map((line) => {
    const [intermediary, transport, reason] = line.split("|").map((part) => part.trim());
    if (!reason) throw new Error(`${file}: "${line}" is not INTERMEDIARY | TRANSPORT | REASON`);
    return { intermediary, transports: transport.split(/, */), reason };
  });
}

/** Judges a cell: what is wrong with it, or null. `outcome` is a probe's. */
export function judge(expected, intermediary, transport, outcome) {
  const line = expected.find((it) => it.intermediary === intermediary && it.transports.includes(transport));
  if (!line) return outcome.wrong ?? null;
  return outcome.wrong ? null : `it works, though expected.txt says: ${line.reason}`;
}

/** A table in Markdown: `cells` maps intermediaries to maps of transports to text. */
export function markdown(columns, cells) {
  const rows = [["", ...columns], ...[...cells].map(([name, row]) => [name, ...columns.map((column) => row.get(column) ?? "")])];
  const widths = rows[0].map((_, at) => Math.max(...rows.map((row) => row[at].length)));
  const text = rows.map((row) => `| ${row.map((cell, at) => cell.padEnd(widths[at])).join(" | ")} |`);
  text.splice(1, 0, `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`);
  return text.join("\n");
}
