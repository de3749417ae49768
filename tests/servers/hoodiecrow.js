// hoodiecrow as Gmail: every message is in All Mail, Spam or Trash, and in its labels' mailboxes.
//
// argv: port, user, password. Each line of standard input is an order, answered by a line:
//   {"put": {"raw", "flags", "labels"}}    mail arrives; `\Inbox` and mailboxes are labels
//   {"label": {"message", "labels"}}       the labels of a message are now these
//   {"trash": "message"}                   a message goes from All Mail and its labels to Trash
//   {"whereabouts": "message"}             the mailboxes that it is in are answered
//   {"introspect": "url"}                  who is asked whose access token this is (RFC 7662)
//   {"hangup": null}                       sessions that began by a token are cut, as at its end
"use strict";

const readline = require("readline");
const hoodiecrow = require(process.env.HOODIECROW);

const [port, user, password] = process.argv.slice(2);
const ALL = "[Gmail]/All Mail";
const TRASH = "[Gmail]/Trash";

function special(use) {
    return { "special-use": use };
}

const server = hoodiecrow({
    plugins: ["ID", "SASL-IR", "AUTH-PLAIN", "XOAUTH2", "NAMESPACE", "IDLE", "ENABLE", "CONDSTORE", "LITERALPLUS",
        "UNSELECT", "SPECIAL-USE", "UIDPLUS", "MOVE", "X-GM-EXT-1"],
    users: { [user]: { password } },
    storage: {
        "INBOX": {},
        "": {
            folders: {
                "Work": {},
                "[Gmail]": {
                    flags: ["\\Noselect"],
                    folders: {
                        "All Mail": special("\\All"),
                        "Drafts": special("\\Drafts"),
                        "Sent Mail": special("\\Sent"),
                        "Spam": special("\\Junk"),
                        "Starred": special("\\Flagged"),
                        "Trash": special("\\Trash")
                    }
                }
            }
        }
    }
});
server.registerCapability("X-GM-EXT-1");
server.fetchHandlers["X-GM-THRID"] = (connection, message) => ({
    type: "ATOM",
    value: message["X-GM-THRID"] || message["X-GM-MSGID"]
});
// Gmail names of a message's labels all but the one whose mailbox is asked.
server.fetchHandlers["X-GM-LABELS"] = (connection, message) => {
    const here = connection.selectedMailbox.path === "INBOX" ? "\\Inbox" : connection.selectedMailbox.path;
    return message["X-GM-LABELS"].filter(label => label !== here && label !== "\\All")
        .map(label => ({ type: label.startsWith("\\") ? "ATOM" : "STRING", value: label }));
};

// It knows one access token of a user, written down: whoever shows one has it looked up before.
let introspection = null;
const byToken = server.getCommandHandler("AUTHENTICATE XOAUTH2");
server.setCommandHandler("AUTHENTICATE XOAUTH2", async (connection, parsed, ...rest) => {
    const shown = Buffer.from(parsed.attributes[0].value, "base64").toString();
    const token = (/\x01auth=Bearer ([^\x01]*)/.exec(shown) || [])[1];
    const answer = introspection && await fetch(introspection, { method: "POST", body: new URLSearchParams({ token }) });
    const said = answer ? await answer.json() : { active: false };
    server.users[user].xoauth2 = said.active && said.username === user ? { accessToken: token } : undefined;
    sessions.push(connection);
    byToken(connection, parsed, ...rest);
});
const sessions = [];

let highest = 1278455344230334865n;
const messages = new Map(); // X-GM-MSGID → {raw, flags, labels}

function mailboxOf(label) {
    return label === "\\Inbox" ? "INBOX" : label;
}

function add(path, id) {
    const { raw, flags, labels } = messages.get(id);
    const mailbox = server.getMailbox(path);
    // Given before the message is processed, so that every copy has the same number.
    const before = server.messageHandlers.slice();
    server.messageHandlers.unshift((connection, message) => {
        message["X-GM-MSGID"] = id;
        message["X-GM-LABELS"] = labels;
    });
    server.appendMessage(mailbox, flags.slice(), new Date(), Buffer.from(raw, "base64").toString("binary"));
    server.messageHandlers = before;
    mailbox.messages[mailbox.messages.length - 1]["X-GM-LABELS"] = labels.slice();
}

function remove(path, id) {
    const mailbox = server.getMailbox(path);
    for (let index = mailbox.messages.length - 1; index >= 0; index--) {
        if (mailbox.messages[index]["X-GM-MSGID"] === id) {
            mailbox.messages[index].ghost = true;
            mailbox.messages.splice(index, 1);
            server.notify({ tag: "*", attributes: [index + 1, { type: "ATOM", value: "EXPUNGE" }] }, mailbox);
        }
    }
}

const orders = {
    put(order) {
        const id = String(++highest);
        messages.set(id, order);
        [ALL, ...order.labels.map(mailboxOf)].forEach(path => add(path, id));
        return id;
    },
    label({ message, labels }) {
        const known = messages.get(message);
        const before = known.labels;
        known.labels = labels;
        before.filter(label => !labels.includes(label)).forEach(label => remove(mailboxOf(label), message));
        labels.filter(label => !before.includes(label)).forEach(label => add(mailboxOf(label), message));
        for (const path of [ALL, ...labels.map(mailboxOf)]) {
            const mailbox = server.getMailbox(path);
            const copy = mailbox.messages.find(each => each["X-GM-MSGID"] === message);
            copy["X-GM-LABELS"] = labels.slice();
            copy.MODSEQ = mailbox.HIGHESTMODSEQ = mailbox.HIGHESTMODSEQ + 1;
        }
        return message;
    },
    trash(message) {
        const known = messages.get(message);
        [ALL, ...known.labels.map(mailboxOf)].forEach(path => remove(path, message));
        known.labels = [];
        add(TRASH, message);
        return message;
    },
    whereabouts(message) {
        const inside = path => server.getMailbox(path).messages.some(each => each["X-GM-MSGID"] === message);
        return ["INBOX", "Work", ALL, TRASH].filter(inside);
    },
    introspect(url) {
        introspection = url;
        return null;
    },
    hangup() {
        sessions.splice(0).forEach(({ socket }) => socket && socket.destroy());
        return null;
    }
};

// What hoodiecrow only notes has effects at Gmail: a message is in the mailboxes of its labels.
for (const sign of ["+", "-"]) {
    const note = server.storeHandlers[`${sign}X-GM-LABELS`];
    server.storeHandlers[`${sign}X-GM-LABELS`] = (connection, message, given, ...rest) => {
        const wished = [].concat(given).map(each => (each && each.value || each).toString());
        const id = message["X-GM-MSGID"];
        const others = messages.get(id).labels.filter(label => !wished.includes(label));
        note(connection, message, given, ...rest);
        orders.label({ message: id, labels: sign === "+" ? [...others, ...wished] : others });
    };
}

readline.createInterface({ input: process.stdin }).on("line", line => {
    const [[name, order]] = Object.entries(JSON.parse(line));
    console.log(JSON.stringify(orders[name](order)));
}).on("close", () => process.exit(0));

server.listen(Number(port), "127.0.0.1");
