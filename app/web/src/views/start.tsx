export default function View({ words }: { words: string[] }) {
  return <h1>start {words.join(" ")}</h1>;
}
