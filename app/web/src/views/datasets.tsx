export default function View({ words }: { words: string[] }) {
  return <h1>datasets {words.join(" ")}</h1>;
}
