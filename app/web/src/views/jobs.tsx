export default function View({ words }: { words: string[] }) {
  return <h1>jobs {words.join(" ")}</h1>;
}
