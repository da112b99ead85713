// Consumes orders with amqplib and zod: an ack for each, and where asked, one confirmed message published for each.
//
//   node consume.mjs URL QUEUE PREFETCH [publish]

import amqp from "amqplib";
import { z } from "zod";

const [url, queue, prefetch, publish] = process.argv.slice(2);

const name = z.string().min(1).max(64);
const Order = z.strictObject({
    id: name,
    customer: name,
    currency: z.enum(["EUR", "USD", "GBP", "CHF"]),
    lines: z.array(z.strictObject({ sku: name, quantity: z.int().min(1), price: z.number().min(0) })).min(1),
    note: z.string(),
    fail: z.boolean().optional(),
});
const Accepted = z.strictObject({ order: name });

const connection = await amqp.connect(url, { noDelay: true });
const channel = await connection.createConfirmChannel();
await channel.prefetch(Number(prefetch));
await channel.consume(queue, (message) => {
    const read = Order.safeParse(JSON.parse(message.content.toString()));
    if (!read.success) return channel.reject(message, false);
    // It fails once.
    if (read.data.fail && !message.fields.redelivered) return channel.reject(message, true);
    if (!publish) return channel.ack(message);
    const body = Buffer.from(JSON.stringify(Accepted.parse({ order: read.data.id })));
    const options = { persistent: true, mandatory: true, contentType: "application/json", messageId: read.data.id };
    channel.publish("out", "accepted", body, options, (error) => {
        if (error) throw error;
        channel.ack(message);
    });
});
