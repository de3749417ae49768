/** Where the words are written. Loaded when somebody first writes. */

import {
  EditorContent,
  type Editor as Written,
  Node,
  useEditor,
  useEditorState,
} from "@tiptap/react";
import StarterKit from "@tiptap/starter-kit";
import {
  Bold,
  Code,
  Heading2,
  Italic,
  Link2,
  List,
  ListOrdered,
  RemoveFormatting,
  Strikethrough,
  TextQuote,
  Underline,
} from "lucide-react";
import { useEffect } from "react";

import { useSay } from "../strings/use";
import { IconButton } from "../ui/Icon";
import { textOf } from "./words";

/** What can be done to the words from outside. */
export interface Handle {
  showPicture: (contentId: string, name: string) => void;
}

interface Props {
  html: string;
  label: string;
  focus: boolean;
  /** Where the picture of a content id is. */
  pictureOf: (contentId: string) => string;
  onChange: (html: string, text: string) => void;
  /** Files were dropped or pasted; pictures of them may stand among the words. */
  onFiles: (files: File[], inWords: boolean) => void;
  onReady: (handle: Handle) => void;
}

/** A picture that goes with the message. Those of elsewhere are not shown, nor taken along. */
const Picture = Node.create<{ pictureOf: (contentId: string) => string }>({
  name: "picture",
  group: "inline",
  inline: true,
  draggable: true,
  addOptions: () => ({ pictureOf: () => "" }),
  addAttributes: () => ({
    // A browser would ask for what stands in `src`, also in what is only written down.
    "data-cid": {
      default: "",
      parseHTML: (image) => image.getAttribute("src")?.slice("cid:".length) ?? "",
    },
    alt: { default: "" },
  }),
  parseHTML: () => [{ tag: 'img[src^="cid:"]' }],
  renderHTML: ({ HTMLAttributes }) => ["img", HTMLAttributes],
  addNodeView() {
    return ({ node }) => {
      const dom = document.createElement("img");
      dom.src = this.options.pictureOf(String(node.attrs["data-cid"]));
      dom.alt = String(node.attrs.alt);
      return { dom };
    };
  },
});

/** Keeps together what is replaced when somebody writes as another. */
const Signature = Node.create({
  name: "signature",
  group: "block",
  content: "block+",
  parseHTML: () => [{ tag: "div.postbus_signature" }],
  renderHTML: () => ["div", { class: "postbus_signature" }, 0],
});

export default function Editor({ html, label, focus, pictureOf, onChange, onFiles, onReady }: Props) {
  const editor = useEditor({
    extensions: [
      StarterKit.configure({ link: { openOnClick: false, defaultProtocol: "https" } }),
      Picture.configure({ pictureOf }),
      Signature,
    ],
    content: html,
    autofocus: focus ? "start" : false,
    injectCSS: false, // the content security policy allows no styles but those of files
    editorProps: {
      attributes: { "aria-label": label, role: "textbox", "aria-multiline": "true" },
      handlePaste: (_, event) => taken(event.clipboardData, onFiles),
      handleDrop: (_, event) => taken(event.dataTransfer, onFiles),
    },
    onUpdate: ({ editor: now }) => onChange(htmlOf(now), words(now)),
  });
  useEffect(() => {
    onReady({
      showPicture: (contentId, name) =>
        void editor
          .chain()
          .focus()
          .insertContent({ type: "picture", attrs: { "data-cid": contentId, alt: name } })
          .run(),
    });
  }, [editor, onReady]);
  return (
    <div className="editor">
      <EditorContent editor={editor} className="editor-words" />
      <Tools editor={editor} />
    </div>
  );
}

function Tools({ editor }: { editor: Written }) {
  const say = useSay();
  const now = useEditorState({
    editor,
    selector: ({ editor: at }) => ({
      bold: at.isActive("bold"),
      italic: at.isActive("italic"),
      underline: at.isActive("underline"),
      strike: at.isActive("strike"),
      link: at.isActive("link"),
      heading: at.isActive("heading"),
      list: at.isActive("bulletList"),
      numbers: at.isActive("orderedList"),
      quote: at.isActive("blockquote"),
      code: at.isActive("codeBlock"),
    }),
  });
  const link = () => {
    if (now.link) {
      editor.chain().focus().unsetLink().run();
      return;
    }
    const href = window.prompt(say("compose.linkTo"), "https://");
    if (!href || !/^(https?|mailto):/i.test(href)) return;
    if (editor.state.selection.empty)
      editor
        .chain()
        .focus()
        .insertContent({ type: "text", text: href, marks: [{ type: "link", attrs: { href } }] })
        .run();
    else editor.chain().focus().setLink({ href }).run();
  };
  const tools = [
    [Bold, "compose.bold", now.bold, () => editor.chain().focus().toggleBold().run()],
    [Italic, "compose.italic", now.italic, () => editor.chain().focus().toggleItalic().run()],
    [Underline, "compose.underline", now.underline, () => editor.chain().focus().toggleUnderline().run()],
    [Strikethrough, "compose.strike", now.strike, () => editor.chain().focus().toggleStrike().run()],
    [Heading2, "compose.heading", now.heading, () => editor.chain().focus().toggleHeading({ level: 2 }).run()],
    [List, "compose.list", now.list, () => editor.chain().focus().toggleBulletList().run()],
    [ListOrdered, "compose.numbers", now.numbers, () => editor.chain().focus().toggleOrderedList().run()],
    [TextQuote, "compose.quoteMark", now.quote, () => editor.chain().focus().toggleBlockquote().run()],
    [Code, "compose.code", now.code, () => editor.chain().focus().toggleCodeBlock().run()],
    [Link2, "compose.link", now.link, link],
    [
      RemoveFormatting,
      "compose.unformat",
      undefined,
      () => editor.chain().focus().unsetAllMarks().clearNodes().run(),
    ],
  ] as const;
  return (
    <div className="editor-tools" role="toolbar" aria-label={say("compose.looks")}>
      {tools.map(([icon, name, on, run]) => (
        <IconButton key={name} icon={icon} label={say(name)} aria-pressed={on} onClick={run} />
      ))}
    </div>
  );
}

/** As mail has it: pictures by their content ids (RFC 2392). */
const htmlOf = (editor: Written) => editor.getHTML().replaceAll('<img data-cid="', '<img src="cid:');

const words = (editor: { getText: (how: { blockSeparator: string }) => string }) =>
  editor.getText({ blockSeparator: "\n\n" });

function taken(data: DataTransfer | null, onFiles: Props["onFiles"]): boolean {
  // Words that were copied out of an office program bring a picture of themselves.
  const files = textOf(data?.getData("text/html") ?? "") ? [] : [...(data?.files ?? [])];
  if (files.length) onFiles(files, true);
  return files.length > 0;
}
