/** Where the words are written. Loaded when somebody first writes. */

import { EditorContent, useEditor } from "@tiptap/react";
import StarterKit from "@tiptap/starter-kit";
import { Bold, Italic, List, TextQuote } from "lucide-react";

import { useSay } from "../strings/use";
import { IconButton } from "../ui/Icon";

interface Props {
  html: string;
  onChange: (html: string, text: string) => void;
  onFiles: (files: File[]) => void;
}

export default function Editor({ html, onChange, onFiles }: Props) {
  const say = useSay();
  const editor = useEditor({
    extensions: [StarterKit.configure({ link: { openOnClick: false } })],
    content: html,
    injectCSS: false, // the content security policy allows no styles but those of files
    editorProps: {
      attributes: { "aria-label": say("compose.body"), role: "textbox", "aria-multiline": "true" },
      handlePaste: (_, event) => taken(event.clipboardData, onFiles),
      handleDrop: (_, event) => taken(event.dataTransfer, onFiles),
    },
    onCreate: ({ editor: made }) => onChange(made.getHTML(), words(made)),
    onUpdate: ({ editor: now }) => onChange(now.getHTML(), words(now)),
  });
  const tools = [
    [Bold, "compose.bold", () => editor.chain().focus().toggleBold().run()],
    [Italic, "compose.italic", () => editor.chain().focus().toggleItalic().run()],
    [List, "compose.list", () => editor.chain().focus().toggleBulletList().run()],
    [TextQuote, "compose.quoteMark", () => editor.chain().focus().toggleBlockquote().run()],
  ] as const;
  return (
    <div className="editor">
      <EditorContent editor={editor} className="editor-words" />
      <div className="editor-tools" role="toolbar" aria-label={say("compose.body")}>
        {tools.map(([icon, name, run]) => (
          <IconButton key={name} icon={icon} label={say(name)} onClick={run} />
        ))}
      </div>
    </div>
  );
}

const words = (editor: { getText: (how: { blockSeparator: string }) => string }) =>
  editor.getText({ blockSeparator: "\n\n" });

function taken(data: DataTransfer | null, onFiles: (files: File[]) => void): boolean {
  const files = [...(data?.files ?? [])];
  if (files.length) onFiles(files);
  return files.length > 0;
}
